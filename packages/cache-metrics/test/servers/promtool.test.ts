import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { FILES } from '../../dashboards/files.js'
import { runbookUrl } from '../../dashboards/panels.js'
import { METRICS } from '../../src/metrics/metrics.js'
import { CONFIG } from '../fixtures/prometheus-server.js'
import { annotationQueries, dailyCheck, dashboardQueries } from '../fixtures/queries.js'
import { FAULTS, healthySeries, notation, RISING, type Fault, type Series } from '../fixtures/series.js'

t.setTimeout(900_000)

const read = (name: string) => readFileSync(join(CONFIG, name), 'utf8')
const RUNBOOKS = join(CONFIG, '../runbooks')
const ruleTests = readdirSync(CONFIG).filter((name) => name.endsWith('.test.yml'))

const rules = read('recording-rules.yml') + read('alert-rules.yml')
/** Whether a rule reads a series: a fault of another series cannot make an alert fire, so that series is left out. */
const isRead = ({ name }: Series): boolean => rules.includes(name)
const families = [...new Set(healthySeries('app').map(({ name }) => name))]
/** The text of each recording rule without its name, by its name. */
const recordingRules = new Map(read('recording-rules.yml').split('- record: ').slice(1).map((rule) => {
  const end = rule.indexOf('\n')
  return [rule.slice(0, end), rule.slice(end)] as const
}))
/** The alerts, with the names of the series that each of them reads. */
const alertRules = read('alert-rules.yml').split('- alert: ').slice(1)
  .map((rule) => ({ alert: /^\w+/.exec(rule)![0], reads: readBy(rule) }))

/** Returns the names of the series that a rule reads, itself or by recording rules. A name in its annotations counts as well. */
function readBy (rule: string, passed = new Set<string>()): Set<string> {
  const names = new Set(families.filter((name) => rule.includes(name)))
  for (const [record, text] of recordingRules) {
    if (passed.has(record) || !rule.includes(record)) continue
    passed.add(record)
    for (const name of readBy(text, passed)) names.add(name)
  }
  return names
}

/** A job that is healthy from beginning to end. One is in each test, since an alert may depend on whether any job has metrics. */
const HEALTHY = 'healthy'
/**
 * The number of jobs that are tested together, since each step costs promtool more than each series. Not all are tested together, since a
 * query has a limit.
 */
const JOBS_OF_TEST = 50

/** Runs promtool; resolves with its output and its exit status. */
function promtool (...args: string[]): Promise<{ status: number; output: string }> {
  return new Promise((resolve) => {
    // promtool evaluates in less time if Go's garbage collector runs less often, and without threads that wait for work to share.
    const env = { ...process.env, GOGC: '800', GOMAXPROCS: '1' }
    execFile('promtool', args, { cwd: CONFIG, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), output: stdout + stderr })
    })
  })
}

/** Runs generated tests of the rules. They are written as JSON, which is valid YAML. */
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
  // The files are tested at the same time, since each test evaluates every rule for hours or days.
  await Promise.all(ruleTests.map(async (name) => {
    const { status, output } = await promtool('test', 'rules', name)
    t.equal(status, 0, `${name}: ${output}`)
  }))
})

/** The name of a fault's subject, and a function that returns whether the fault affects the series with a given name. */
type Subject = readonly [what: string, isHit: (name: string) => boolean]

/**
 * Whether an alert is intended. Candidates that are not counted look like no candidates, and an app without any metrics must be checked by
 * an operator.
 */
function isMeant (what: string, fault: Fault, instances: string): boolean {
  if (instances === 'one') return false
  if (what === 'every_series') return fault !== 'young' && fault !== 'reset'
  return what === 'cache_candidate_requests' && fault !== 'reset' && fault !== 'interrupted'
}

/** Returns the series of both processes of a job in promtool's notation, with `up` in front. */
function seriesOf (
  job: string, healthy: readonly Series[], steps: number, isWanted: (series: Series) => boolean,
  faultOf: (series: Series) => Fault | undefined
): object[] {
  const up = ['a', 'b'].map((instance) => ({ series: `up{job="${job}",instance="${instance}"}`, values: `1x${steps}` }))
  return [...up, ...healthy.filter(isWanted).flatMap((series) => notation(series, steps, faultOf(series)) ?? [])]
}

/**
 * Applies each fault to each subject, in one process or in both processes of a separate job; returns the alerts that fire. The job has the
 * series that are read by an alert that reads the subject, and is judged by these alerts: no fault of the subject can change another one.
 * @param healthyOf returns the series of a healthy job
 */
async function alertsUnderFaults (
  t: Test, subjects: readonly Subject[], [steps, minutes, evaluation]: readonly [number, number, number], where: readonly string[],
  healthyOf: (job: string) => Series[] = healthySeries
) {
  const jobs = subjects.flatMap(([what, isHit]) => FAULTS.flatMap((fault) => where.filter(
    (instances) => !isMeant(what, fault, instances)
  ).map((instances) => {
    const job = `${what}_${fault}_in_${instances}`
    const alerts = alertRules.filter(({ reads }) => [...reads].some(isHit))
    const names = new Set(alerts.flatMap(({ reads }) => [...reads]))
    const series = seriesOf(job, healthyOf(job), steps, ({ name }) => names.has(name), ({ name, labels }) =>
      isHit(name) && (instances === 'both' || labels.instance === 'a') ? fault : undefined)
    return { series, judged: `job="${job}",alertname=~"${alerts.map(({ alert }) => alert).join('|')}"` }
  })))
  const healthy = seriesOf(HEALTHY, healthyOf(HEALTHY), steps, isRead, () => undefined)
  const tests = Array.from({ length: Math.ceil(jobs.length / JOBS_OF_TEST) }, (_, at) => {
    const some = jobs.slice(JOBS_OF_TEST * at, JOBS_OF_TEST * (at + 1))
    return {
      interval: `${minutes}m`,
      input_series: [...healthy, ...some.flatMap(({ series }) => series)],
      // An alert without a job is about all jobs together.
      promql_expr_test: [`job="${HEALTHY}"`, 'job=""', ...some.map(({ judged }) => judged)].map((judged) =>
        ({ expr: `count_over_time(ALERTS{${judged},alertstate="firing"}[30d])`, eval_time: `${(steps - 1) * minutes}m`, exp_samples: [] }))
    }
  })
  return testRules(t, { evaluation_interval: `${evaluation}m`, tests })
}

t.test('alerts: none fires of a healthy app while series are missing, renamed, gone, young, reset or interrupted', async (t) => {
  // Otherwise the text of a rule would not have the names of all series that it reads.
  for (const [, names] of rules.matchAll(/__name__=~"([^"]*)"/g)) t.match(names, /^[\w|]+$/)
  t.ok(recordingRules.size > 10 && alertRules.length > 15 && alertRules.every(({ reads }) => reads.size > 0))
  for (const { name, type } of METRICS) t.ok(families.includes(type === 'histogram' ? `${name}_count` : name), name)
  const used = families.filter((name) => rules.includes(name)).map((family): Subject => [family, (name) => name === family])
  t.ok(used.length > 10)
  // A histogram of which the rules read one series is that series.
  const histograms = METRICS.filter(({ name, type }) => type === 'histogram' && used.filter(([what]) => what.startsWith(name)).length > 1)
    .map(({ name }): Subject => [name, (other) => other.startsWith(name)])
  const of = (names: RegExp) => [...used, ...histograms].filter(([what]) => names.test(what))
  const both = ['both']
  const each = ['one', 'both']
  for (const [subjects, times, where, seriesOf] of [
    [[...used, ...histograms, ['every_series', () => true]], [150, 2, 6], both],
    [of(/hits|miss|errors|operation|request_duration|load_duration_seconds_sum/), [150, 2, 6], ['one']],
    // Hits and misses are also compared with the day before, so their faults are tested over a longer time.
    [of(/hits|miss/), [432, 5, 15], both],
    // Costs and savings of a day are compared for six hours, and a rollout is watched for eight days.
    [of(/cost_seconds|saved_load_seconds|hits|rollout_percent/), [128, 30, 120], each],
    [of(/rollout_(?:percent|stage)/), [480, 60, 240], each, (job: string) => healthySeries(job, RISING).filter(({ isCounter }) => !isCounter)]
  ] as const) {
    const { status, output } = await alertsUnderFaults(t, subjects as readonly Subject[], times, where, seriesOf)
    t.equal(status, 0, output)
  }
})

t.test('queries: where one of ten processes has a series, ratios in the daily check, the dashboard and the rules are those of that process', async (t) => {
  const input = Array.from({ length: 10 }, (_, at) => {
    const counters = {
      'cache_errors_total|impl="redis",error_type="timeout"': 8,
      'cache_hits_total|impl="redis",key_pattern="user"': 700,
      'cache_miss_total|impl="redis",key_pattern="user"': 300,
      'cache_cost_seconds_total|impl="redis",key_pattern="user",part="read"': 2,
      'cache_load_duration_seconds_sum|key_pattern="user"': 3,
      ...at === 0 && {
        'cache_operation_duration_seconds_count|impl="redis",operation="get"': 1000,
        'cache_saved_load_seconds_total|impl="redis",key_pattern="user"': 4,
        'cache_request_duration_seconds_sum|route="/",arm="cached"': 6
      }
    }
    return Object.entries(counters).map(([name, value]) => ({ series: `${name.replace('|', `{job="app",instance="${at}",`)}}`, values: `0+${value}x120` }))
  }).flat()
  const panels = dashboardQueries()
  const exprOf = (title: string) => panels.find(({ where }) => where === `cache-operation.json: ${title}`)!.expr
  const promql = [
    [dailyCheck().find(({ expr }) => expr.includes('cache_errors'))!.expr, '{job="app"}', 8],
    [exprOf('Share of calls that fail'), '{}', 8],
    [exprOf('Share of request time that is loading'), '{job="app"}', 500],
    ['job:cache_load_time_share:rate1h', '{job="app"}', 500],
    [exprOf('Cost per second saved, by key pattern'), '{key_pattern="user"}', 500],
    ['job_key_pattern:cache_cost_seconds:rate1h / job_key_pattern:cache_saved_load_seconds:rate1h', '{job="app",key_pattern="user"}', 500]
  ].map(([expr, labels, value]) => ({ expr: `round(1000 * (${expr}))`, eval_time: '110m', exp_samples: [{ labels, value }] }))
  const { status, output } = await testRules(t, { evaluation_interval: '5m', tests: [{ interval: '1m', input_series: input, promql_expr_test: promql }] })
  t.equal(status, 0, output)
})

t.test('alerts: without its metrics an app is one to look at, and so is one without candidates', async (t) => {
  const of = (isAway: (name: string) => boolean) => healthySeries('app').flatMap((series) => notation(series, 300, isAway(series.name) ? 'renamed' : undefined) ?? [])
  const up = ['app', 'other'].flatMap((job) => ['a', 'b'].map((instance) => ({ series: `up{job="${job}",instance="${instance}"}`, values: '1x300' })))
  const other = { series: 'cache_rollout_percent{job="other",instance="a"}', values: '100x300' }
  const firing = (labels: string) => ({ labels: `ALERTS{${labels},alertstate="firing"}`, value: 1 })
  const { status, output } = await testRules(t, {
    evaluation_interval: '5m',
    tests: ([
      [() => true, 'alertname="CacheMetricsAbsent",job="app",severity="critical"'],
      [(name: string) => name === 'cache_candidate_requests', 'alertname="CacheNoCandidates",job="app",severity="info"']
    ] as const).map(([isAway, labels]) => ({
      interval: '1m', input_series: [...up, other, ...of(isAway)], promql_expr_test: [{ expr: 'ALERTS{alertstate="firing"}', eval_time: '290m', exp_samples: [firing(labels)] }]
    }))
  })
  t.equal(status, 0, output)
})

t.test('alerts: each is tested before it fires and when it fires, and leads to its runbook', async (t) => {
  const alerts = read('alert-rules.yml').split('- alert: ').slice(1)
  const names = alerts.map((rule) => /^\w+/.exec(rule)![0])
  // Each expectation is put on one line: "expr: …, eval_time: …, exp_samples: …".
  const expectations = ruleTests.map(read).join('').replaceAll(/\n +(eval_time|exp_samples)/g, ' $1').split('\n')
  for (const [at, name] of names.entries()) {
    const own = expectations.filter((line) => line.includes(`ALERTS{alertname="${name}",alertstate="firing"}`) && line.includes('exp_samples'))
    t.ok(own.some((line) => line.includes('exp_samples: []')), `${name}: a time when it does not fire`)
    t.ok(own.some((line) => !line.includes('exp_samples: []')), `${name}: a time when it does`)
    t.match(alerts[at], /severity: (critical|warning|info)/, name)
    t.match(alerts[at], /summary:[^]*description:[^]*runbook:|annotations: \*/, name)
    if (!alerts[at]!.includes('annotations: *')) t.match(alerts[at], `runbook_url: ${runbookUrl(name)}\n`)
    const severity = /severity: (\w+)/.exec(alerts[at]!)![1]!
    t.match(readFileSync(join(RUNBOOKS, `${name}.md`), 'utf8'), new RegExp(`^# ${name}\n\n\\*\\*${severity}\\*\\*[^]*\n## What to do\n\n1\\. [^]*\n## Where to look\n`))
    t.match(read('README.md'), `| [${name}](../runbooks/${name}.md) | ${severity} |`)
  }
  t.same(readdirSync(RUNBOOKS).sort(), [...new Set(names)].sort().map((name) => `${name}.md`))
})

t.test('runbooks: their links lead to files, and the panels that they name are in the dashboard', async (t) => {
  const titles = new Map(Object.entries(FILES).map(([name, text]) => {
    const { panels } = JSON.parse(text) as { panels: { title: string }[] }
    return [name.replace('.json', ''), panels.map(({ title }) => title)] as const
  }))
  for (const name of readdirSync(RUNBOOKS)) {
    const text = readFileSync(join(RUNBOOKS, name), 'utf8')
    for (const [, link] of text.matchAll(/\]\(([^)#]+)/g)) t.ok(existsSync(join(RUNBOOKS, link!)), `${name}: ${link}`)
    const [, board, rest] = /^Dashboard `([\w-]+)`: (.*)$/m.exec(text)!
    for (const [, title] of rest!.matchAll(/"([^"]+)"/g)) t.ok(titles.get(board!)!.includes(title!), `${name}: ${title}`)
  }
})

// The panels whose query is about all requests or calls together: loads have no route, requests and errors no key pattern.
const OF_THE_WHOLE = new Set(['Share of request time that is loading', 'Share of calls that fail'])

t.test('dashboards: every query obeys the variables whose labels its metric has, and panels lead to runbooks that exist', async (t) => {
  const labels = new Map(METRICS.flatMap(({ name, labelNames, type }) => {
    return (type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']).map((suffix) => [name + suffix, labelNames] as const)
  }))
  for (const [file, text] of Object.entries(FILES)) {
    const { panels, templating } = JSON.parse(text) as {
      panels: { title: string; targets?: { expr: string }[]; links?: { url: string }[] }[]
      templating: { list: { name: string }[] }
    }
    t.same(templating.list.map(({ name }) => name), ['datasource', 'job', 'instance', 'route', 'pattern'], file)
    for (const { title, targets = [], links = [] } of panels) {
      for (const [, metric, matchers] of targets.flatMap(({ expr }) => [...expr.matchAll(/(\w+)\{([^}]*)\}/g)])) {
        t.ok(labels.has(metric!), `${file}: ${title}: ${metric}`)
        t.match(matchers, 'job=~"$job",instance=~"$instance"', `${file}: ${title}`)
        if (OF_THE_WHOLE.has(title)) continue
        if (labels.get(metric!)!.includes('route')) t.match(matchers, 'route=~"$route"', `${file}: ${title}`)
        if (labels.get(metric!)!.includes('key_pattern')) t.match(matchers, /key_pattern(=~"\$pattern"|="edge")/, `${file}: ${title}`)
      }
      for (const { url } of links) t.ok(readdirSync(RUNBOOKS).some((name) => url === runbookUrl(name.replace('.md', ''))), `${title}: ${url}`)
    }
    t.ok(panels.some(({ links = [] }) => links.length > 0), file)
  }
})

t.test('queries: those of the dashboards and of the daily check are PromQL', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cache-metrics-promtool-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const queries = [...dashboardQueries(), ...annotationQueries(), ...dailyCheck()]
  const rules = queries.map(({ expr }, at) => ({ record: `query:${at}`, expr }))
  // The file is written as JSON, which is valid YAML.
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
