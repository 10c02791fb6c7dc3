import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { FILES } from '../../dashboards/files.js'
import { METRICS } from '../../src/metrics.js'
import { CONFIG } from '../fixtures/prometheus-server.js'
import { dailyCheck, dashboardQueries } from '../fixtures/queries.js'
import { FAULTS, healthySeries, notation } from '../fixtures/series.js'

t.setTimeout(300_000)

const read = (name: string) => readFileSync(join(CONFIG, name), 'utf8')
const ruleTests = readdirSync(CONFIG).filter((name) => name.endsWith('.test.yml'))

/** What promtool printed, and its exit status. */
function promtool (...args: string[]): Promise<{ status: number; output: string }> {
  return new Promise((resolve) => {
    execFile('promtool', args, { cwd: CONFIG, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), output: stdout + stderr })
    })
  })
}

/** Runs tests of the rules, which are made here. JSON is YAML. */
async function testRules (t: Test, tests: object): Promise<{ status: number, output: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'cache-metrics-rules-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'made.test.yml')
  const rules = { rule_files: ['recording-rules.yml', 'alert-rules.yml'].map((name) => join(CONFIG, name)), group_eval_order: ['cache-recording', 'cache-alerts'] }
  writeFileSync(file, JSON.stringify({ ...rules, ...tests }))
  return promtool('test', 'rules', file)
}

t.test('promtool: the scrape configuration is valid, with the rules that it loads', async (t) => {
  const { status, output } = await promtool('check', 'config', 'prometheus.yml')
  t.equal(status, 0, output)
  t.match(output, /2 rule files found/)
})

t.test('promtool: the rules hold what their tests say', async (t) => {
  // At once: each evaluates every rule for hours or days.
  await Promise.all(ruleTests.map(async (name) => {
    const { status, output } = await promtool('test', 'rules', name)
    t.equal(status, 0, `${name}: ${output}`)
  }))
})

t.test('alerts: none fires of a healthy app while series are missing, renamed, gone, young, reset or interrupted', async (t) => {
  const healthy = healthySeries()
  const families = [...new Set(healthy.map(({ name }) => name))]
  for (const { name, type } of METRICS) t.ok(families.includes(type === 'histogram' ? `${name}_count` : name), name)
  const histograms = METRICS.filter(({ type }) => type === 'histogram').map(({ name }) => name)
  const subjects: Array<[what: string, isHit: (name: string) => boolean]> = [
    ...families.map((family): [string, (name: string) => boolean] => [family, (name) => name === family]),
    ...histograms.map((histogram): [string, (name: string) => boolean] => [histogram, (name) => name.startsWith(histogram)]),
    ['every series', () => true]
  ]
  // Nothing tells candidates that are not counted from none, and an app without any metrics is one to look at.
  const isMeant = (what: string, fault: string, instances: string) => instances === 'both' && /missing|renamed|gone/.test(fault) && /^(cache_candidate_requests|every series)$/.test(what)
  for (const [steps, interval, evaluation] of [[300, '1m', '1m'], [384, '5m', '15m']] as const) {
    const up = ['a', 'b'].map((instance) => ({ series: `up{job="app",instance="${instance}"}`, values: `1x${steps}` }))
    const tests = subjects.flatMap(([what, isHit]) => FAULTS.flatMap((fault) => ['one', 'both'].filter((instances) => !isMeant(what, fault, instances)).map((instances) => ({
      name: `${what} ${fault} in ${instances}`,
      interval,
      input_series: [...up, ...healthy.flatMap((series) =>
        notation(series, steps, isHit(series.name) && (instances === 'both' || series.labels.instance === 'a') ? fault : undefined) ?? [])],
      promql_expr_test: [{ expr: 'count_over_time(ALERTS{alertstate="firing"}[32h])', eval_time: interval === '1m' ? '300m' : '1915m', exp_samples: [] }]
    }))))
    const { status, output } = await testRules(t, { evaluation_interval: evaluation, tests })
    t.equal(status, 0, output)
  }
})

t.test('alerts: without its metrics an app is one to look at, and so is one without candidates', async (t) => {
  const of = (isAway: (name: string) => boolean) => healthySeries().flatMap((series) => notation(series, 300, isAway(series.name) ? 'renamed' : undefined) ?? [])
  const up = ['app', 'other'].map((job) => ({ series: `up{job="${job}",instance="a"}`, values: '1x300' }))
  const other = { series: 'cache_rollout_percent{job="other",instance="a"}', values: '100x300' }
  const firing = (labels: string) => ({ labels: `ALERTS{${labels},alertstate="firing"}`, value: 1 })
  const { status, output } = await testRules(t, {
    evaluation_interval: '1m',
    tests: [
      [of(() => true), [firing('alertname="CacheMetricsAbsent",job="app",severity="critical"')]],
      [of((name) => name === 'cache_candidate_requests'), [firing('alertname="CacheNoCandidates",job="app",severity="info"')]]
    ].map(([series, samples], at) => ({
      name: String(at), interval: '1m', input_series: [...up, other, ...series!], promql_expr_test: [{ expr: 'ALERTS{alertstate="firing"}', eval_time: '290m', exp_samples: samples }]
    }))
  })
  t.equal(status, 0, output)
})

t.test('alerts: each is tested before it fires and when it fires, and has a runbook here and in the guide', async (t) => {
  const rules = read('alert-rules.yml').split('- alert: ').slice(1)
  const names = rules.map((rule) => /^\w+/.exec(rule)![0])
  // An expectation on one line: "expr: …, eval_time: …, exp_samples: …".
  const expectations = ruleTests.map(read).join('').replaceAll(/\n +(eval_time|exp_samples)/g, ' $1').split('\n')
  for (const [at, name] of names.entries()) {
    const own = expectations.filter((line) => line.includes(`ALERTS{alertname="${name}",alertstate="firing"}`) && line.includes('exp_samples'))
    t.ok(own.some((line) => line.includes('exp_samples: []')), `${name}: a time when it does not fire`)
    t.ok(own.some((line) => !line.includes('exp_samples: []')), `${name}: a time when it does`)
    t.match(rules[at], /severity: (critical|warning|info)/, name)
    t.match(rules[at], /summary:[^]*description:[^]*runbook:|annotations: \*/, name)
    t.match(read('README.md'), `\n### ${name}\n`)
  }
  for (const [, name] of read('README.md').matchAll(/^### (Cache\w+)$/gm)) t.ok(names.includes(name!), `${name} is an alert`)
})

t.test('queries: those of the dashboards and of the daily check are PromQL', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cache-metrics-promtool-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const queries = [...dashboardQueries(), ...dailyCheck()]
  const rules = queries.map(({ expr }, at) => ({ record: `query:${at}`, expr }))
  // JSON is YAML.
  writeFileSync(join(folder, 'queries.yml'), JSON.stringify({ groups: [{ name: 'queries', rules }] }))
  const { status, output } = await promtool('check', 'rules', join(folder, 'queries.yml'))
  t.equal(status, 0, output)
  t.match(output, `${queries.length} rules found`)
})

t.test('dashboards: the files in grafana/ are what the code generates (npm run dashboards -w packages/cache-metrics)', async (t) => {
  const folder = join(CONFIG, '../grafana')
  t.same(readdirSync(folder).sort(), Object.keys(FILES).sort())
  for (const [name, text] of Object.entries(FILES)) t.ok(readFileSync(join(folder, name), 'utf8') === text, name)
})
