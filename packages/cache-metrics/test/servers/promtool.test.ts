import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { FILES } from '../../dashboards/files.js'
import { CONFIG } from '../fixtures/prometheus-server.js'
import { dailyCheck, dashboardQueries } from '../fixtures/queries.js'

t.setTimeout(300_000)

const read = (name: string) => readFileSync(join(CONFIG, name), 'utf8')
const ruleTests = readdirSync(CONFIG).filter((name) => name.endsWith('.test.yml'))

/** What promtool printed, and its exit status. */
function promtool (...args: string[]): Promise<{ status: number; output: string }> {
  return new Promise((resolve) => {
    execFile('promtool', args, { cwd: CONFIG }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), output: stdout + stderr })
    })
  })
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
