import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'

const ROOT = join(import.meta.dirname, '../..')
/** The documents except for the generated references. */
const DOCUMENTS = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: ROOT, encoding: 'utf8' })
  .trim().split('\n').filter((name) => !/\/api\//.test(name) && name !== 'CHANGELOG.md')
const read = (name: string) => readFileSync(join(ROOT, name), 'utf8')
const blocksOf = (text: string, language: string) => [...text.matchAll(new RegExp(`^ *\`\`\`${language}\\n(.*?)^ *\`\`\`$`, 'gms'))].map(([, block]) => block!)

t.test('documents: each block of TypeScript or JavaScript is written from a file, or run by a test', async (t) => {
  for (const name of DOCUMENTS) {
    const text = read(name).replaceAll(/^<!-- code:\S+ -->$[^]*?^<!-- \/code -->$/gm, '')
    // packages/cache-core/test/readme.test.ts runs those of a README, .ci/nest-check.js the one for NestJS.
    const others = [...name.endsWith('README.md') ? [] : blocksOf(text, 'js'), ...blocksOf(text, 'ts')].filter((block) => !block.includes('@nestjs/core'))
    t.same(others, [], name)
  }
})

/** The scripts by the folder of the workspace; those of the root by the empty text. */
const scripts = new Map(['', ...['packages', 'examples'].flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`)), 'benchmarks']
  .filter((folder) => existsSync(join(ROOT, folder, 'package.json')))
  .map((folder) => [folder, Object.keys((JSON.parse(read(join(folder, 'package.json'))) as { scripts?: object }).scripts ?? {})]))

/** The faults of the commands in a text: scripts that neither the manifest of the root nor that of the folder has, and files that do not exist. */
function faultsOf (text: string, own = ''): string[] {
  const runs = [...text.matchAll(/\bnpm (?:run (?:--silent )?)?([a-z][a-z:]*)( --silent)?(?: -w ([\w/-]+))?/g)]
    .filter(([whole, name]) => /^npm run /.test(whole) || name === 'start' || name === 'test')
    .filter(([, name, , folder]) => ![folder ?? '', folder ?? own].some((each) => scripts.get(each)?.includes(name!) === true)).map(([whole]) => `no script: ${whole}`)
  const files = [...text.matchAll(/\b(?:npx tap|pm2 start|node|docker \S+(?: \S+)? -f|-f|--trace) ((?:packages|examples|benchmarks|findings|\.ci|\.config)\/[^\s`]+)/g)]
    .filter(([, file]) => !existsSync(join(ROOT, file!))).map(([, file]) => `no file: ${file}`)
  return [...runs, ...files]
}

t.test('documents: scripts and files of commands exist', async (t) => {
  t.same(faultsOf('npm run nothing -- 1; npm start -w packages/cache-edge; npx tap packages/none.ts'), ['no script: npm run nothing', 'no script: npm start -w packages/cache-edge', 'no file: packages/none.ts'])
  for (const name of DOCUMENTS) {
    const text = read(name)
    // Code alone: sentences may have "npm run" before other words.
    const code = [...blocksOf(text, 'sh'), ...[...text.replaceAll(/^ *```.*?^ *```$/gms, '').matchAll(/`([^`\n]+)`/g)].map(([, span]) => span!)]
    t.same(code.flatMap((each) => faultsOf(each, dirname(name))), [], name)
  }
})

t.test('CONTRIBUTING.md: the map has each file and folder of the sources', async (t) => {
  const maps = [...read('.github/CONTRIBUTING.md').matchAll(/^### (packages\/[\w-]+\/src)\n\n\| room .*\n.*\n((?:\|.*\n)+)/gm)]
  t.equal(maps.length, 4)
  for (const [, folder, rows] of maps) {
    const named = rows!.split('\n').flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+?)\/?`/g)].map(([, name]) => name!))
    t.same(named.sort(), readdirSync(join(ROOT, folder!)).filter((name) => !name.endsWith('.d.ts')).sort(), folder!)
  }
})

t.test('README of the core: names each event', async (t) => {
  const events = [...read('packages/cache-core/src/telemetry/events.ts').matchAll(/^ {2}(\w+): \[/gm)].map(([, name]) => name!)
  t.ok(events.length > 10)
  const [, list] = /Events: ([^]*?);/.exec(read('packages/cache-core/README.md'))!
  t.same([...list!.replaceAll(/\([^)]*\)/g, '').matchAll(/`(\w+)`/g)].map(([, name]) => name!).sort(), events.sort())
})

t.test('workflows: scripts and files of commands exist', async (t) => {
  for (const name of readdirSync(join(ROOT, '.github/workflows'))) {
    const { jobs } = parse(read(`.github/workflows/${name}`)) as { jobs: Record<string, { steps: { run?: string }[] }> }
    const runs = Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []))
    t.ok(runs.length > 1)
    t.same(runs.flatMap((run) => faultsOf(run)), [], name)
  }
})

t.test('documents: commands set variables that the example server reads', async (t) => {
  const example = read('examples/server/.env.example')
  for (const name of DOCUMENTS) {
    for (const line of blocksOf(read(name), 'sh').flatMap((block) => block.split('\n')).filter((line) => / npm (?:start|run)\b/.test(line))) {
      for (const [, variable] of line.split(' npm ', 1)[0]!.matchAll(/\b([A-Z_]+)=/g)) if (variable !== 'WORKERS') t.match(example, `#${variable}=`, `${name}: ${variable}`)
    }
  }
})
