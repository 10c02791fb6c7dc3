import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import t from 'tap'

interface Program { cwd: string; script: string; kill_timeout: number; env: Record<string, string | number>; exec_mode?: string; instances?: number; increment_var?: string }

const SERVER = join(import.meta.dirname, '..')
const { apps } = createRequire(import.meta.url)('../ecosystem.config.cjs') as { apps: Program[] }
const read = (...path: string[]) => readFileSync(join(SERVER, ...path), 'utf8')

t.test('ecosystem.config.cjs: the scripts are built from sources, the variables are in .env.example, and there is time to close', async (t) => {
  const variables = parseEnv(read('.env.example').replaceAll(/^#(?=[A-Z_]+=)/gm, ''))
  t.ok(apps.length > 1)
  for (const { cwd, script, env, kill_timeout: killTimeout } of apps) {
    const source = script.replace('dist/', 'src/').replace(/\.js$/, '.ts')
    t.equal(cwd, SERVER)
    t.ok(source.startsWith('src/') && existsSync(join(SERVER, source)), script)
    const [, delay] = /closeWithGrace\(\{ delay: ([\d_]+)/.exec(read(source))!
    t.equal(delay, '10_000')
    t.ok(killTimeout > 10_000, script)
    for (const name of Object.keys(env)) t.ok(name in variables, `${script}: ${name}`)
  }
})

t.test('ecosystem.config.cjs: workers count up a variable of theirs, by a number, as the README of the metrics and cluster.ts do', async (t) => {
  const workers = apps.filter(({ exec_mode: mode }) => mode === 'cluster')
  t.equal(workers.length, 1)
  for (const { env, increment_var: counted = '', instances } of workers) {
    t.ok(instances! > 1)
    t.type(env[counted], 'number')
    t.ok(read('../../packages/cache-metrics/README.md').includes(`\`increment_var: '${counted}'\` in`))
    t.ok(read('src/cluster.ts').includes(`cluster.fork({ ${counted}: `))
  }
})
