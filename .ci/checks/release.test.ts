import { execFile, execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'

const ROOT = join(import.meta.dirname, '../..')
const RULES = 'packages/cache-metrics/prometheus/alert-rules.yml'
const RULE_TESTS = 'packages/cache-metrics/prometheus/alert-rules.test.yml'

interface Manifest { version: string; dependencies?: Record<string, string>; repository?: { url: string } }

/** A copy of what a release reads and writes. */
function copyOf (t: Test) {
  const root = mkdtempSync(join(tmpdir(), 'release-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  const workspaces = ['packages', 'examples'].flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => join(folder, name))).filter((folder) => existsSync(join(ROOT, folder, 'package.json')))
  for (const file of ['package.json', 'package-lock.json', 'CHANGELOG.md', RULES, RULE_TESTS, ...[...workspaces, 'benchmarks'].map((folder) => join(folder, 'package.json'))]) {
    cpSync(join(ROOT, file), join(root, file), { recursive: true, force: true })
  }
  const read = (file: string) => readFileSync(join(root, file), 'utf8')
  return {
    root,
    read,
    json: (file: string) => JSON.parse(read(file)) as Manifest & { packages: Record<string, Manifest> },
    replace: (file: string, from: string, to: string) => writeFileSync(join(root, file), read(file).replace(from, to)),
    /** Runs the script of the release on the copy. */
    release: (args: readonly string[], env: Record<string, string> = {}) => new Promise<{ status: number, output: string }>((resolve) => {
      execFile(process.execPath, [join(ROOT, '.ci/release.js'), '--root', root, ...args], { env: { PATH: dirname(process.execPath), ...env } },
        (error, stdout, stderr) => resolve({ status: error === null ? 0 : Number(error.code), output: stdout + stderr }))
    })
  }
}
type Test = { teardown (close: () => void): void }

t.test('release: the packages have one version, depend on one another by it, and name the repository with their folder', async (t) => {
  t.match(await copyOf(t).release(['--check']), { status: 0, output: /^ok - @x\/cache-core, @x\/cache-edge, @x\/cache-metrics, @x\/cache-redis \d/ })
})

t.test('release: a version is set in all manifests and in the lock file, and closes the section of the changelog', async (t) => {
  const { release, json, read } = copyOf(t)
  t.match(await release(['9.8.7']), { status: 0 })
  const lock = json('package-lock.json').packages
  for (const folder of ['packages/cache-core', 'packages/cache-redis', 'examples/server']) {
    const manifest = json(`${folder}/package.json`)
    for (const each of [manifest, lock[folder]!]) {
      if (folder.startsWith('packages/')) t.equal(each.version, '9.8.7', folder)
      t.equal(each.dependencies?.['@x/cache-core'], folder === 'packages/cache-core' ? undefined : '9.8.7', folder)
    }
  }
  t.match(read('CHANGELOG.md'), /\n## Unreleased\n\n## 9\.8\.7 \(\d{4}-\d\d-\d\d\)\n\n### /)
  const url = json('package.json').repository!.url
  const here = { GITHUB_REPOSITORY: /github\.com\/(.*)\.git$/.exec(url)![1]! }
  t.match(await release(['--check', '--tag', 'v9.8.7'], here), { status: 0 })
  t.match(await release(['9.8.8']), { status: 1, output: /nothing under "## Unreleased"/ })
})

t.test('release: the printed commands push the tag that starts the workflow', async (t) => {
  const { root, release } = copyOf(t)
  const remote = join(root, 'remote.git')
  const env = { PATH: `${process.env.PATH}`, HOME: root, GIT_CONFIG_NOSYSTEM: '1', GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'A', GIT_COMMITTER_EMAIL: 'a@b' }
  const shell = (commands: string) => execFileSync('bash', ['-e', '-c', commands], { cwd: root, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  shell(`git init -q -b main && git init -q --bare ${remote} && git add package.json packages CHANGELOG.md && git commit -qm before && git remote add origin ${remote} && git push -qu origin main`)
  const { output } = await release(['9.8.7'])
  shell(/then: (.*)/.exec(output)![1]!)
  t.equal(shell(`git -C ${remote} tag`).trim(), 'v9.8.7')
})

t.test('release: what would be published wrongly is refused with what to do', async (t) => {
  const { release, replace } = copyOf(t)
  t.match(await release(['--check', '--tag', 'v0.0.1'], { GITHUB_REPOSITORY: 'someone/fork' }), {
    status: 1, output: /the tag v0\.0\.1 is not v.*\n.*has no section.*\n.*npm run release -- --repository someone\/fork/
  })
  replace('packages/cache-edge/package.json', '"directory": "packages/cache-edge"', '"directory": "packages/edge"')
  replace('packages/cache-redis/package.json', /"version": "[^"]+"/.exec(copyOf(t).read('packages/cache-redis/package.json'))![0], '"version": "0.0.9"')
  t.match(await release(['--check']), { status: 1, output: /cache-edge: "repository" is not[^]*cache-redis has version 0\.0\.9/ })
  t.match(await release(['next']), { status: 1, output: /give a version/ })
})

/** The arguments of each `npm publish` that the release of a tag runs. */
function published (t: Test, tag: string): string[] {
  const { jobs } = parse(readFileSync(join(ROOT, '.github/workflows/release.yml'), 'utf8')) as { jobs: { publish: { steps: { name?: string, run?: string }[] } } }
  const { run } = jobs.publish.steps.find(({ name }) => name?.startsWith('Publish'))!
  const folder = mkdtempSync(join(tmpdir(), 'npm-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  // In place of npm a program that knows no package.
  writeFileSync(join(folder, 'npm'), '#!/bin/sh\n[ "$1" = view ] && exit 1\necho "$*"\n', { mode: 0o755 })
  const output = execFileSync('bash', ['-e', '-c', run!], { encoding: 'utf8', env: { PATH: `${folder}:/usr/bin:/bin`, GITHUB_REF_NAME: tag } })
  return output.trim().split('\n')
}

t.test('release: a version before a release gets a tag of its own, without which npm refuses it or gives it to whoever installs the latest', async (t) => {
  for (const [version, tag] of [['v0.2.0', 'latest'], ['v0.2.0-rc.1', 'next']] as const) {
    const all = published(t, version)
    t.equal(all.length, 4)
    for (const one of all) t.match(one, new RegExp(`^publish .*--provenance .*--tag ${tag}( |$)`))
  }
})

t.test('release: a repository is set in the manifests and in the links of the alerts', async (t) => {
  const { release, json, read } = copyOf(t)
  t.match(await release(['--repository', 'acme/cache']), { status: 0 })
  t.equal(json('packages/cache-metrics/package.json').repository?.url, 'git+https://github.com/acme/cache.git')
  for (const file of [RULES, RULE_TESTS]) t.match(read(file), 'https://github.com/acme/cache/')
  t.match(await release(['--check']), { status: 0 })
  t.match(await release(['--repository', 'nonsense']), { status: 1 })
})
