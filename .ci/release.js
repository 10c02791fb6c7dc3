// Prepares a release, and checks one:
//   npm run release -- 0.2.0                  versions of the packages and of what depends on them, the lock file, the section of CHANGELOG.md
//   npm run release -- --repository OWNER/NAME   the repository in the manifests and in the links of the alerts
//   npm run release -- --check [--tag v0.2.0]    what publishing needs; run by .github/workflows/release.yml
// The four packages have one version and one CHANGELOG.md, in which each change has its line when it is made. Changesets would keep that
// text a second time, in a file for each change.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const UNRELEASED = '## Unreleased'
/** The files with links to the runbooks: the alerts, and their tests. */
const LINKING = ['alert-rules.yml', 'alert-rules.test.yml'].map((name) => `packages/cache-metrics/prometheus/${name}`)

const { values, positionals: [version] } = parseArgs({
  allowPositionals: true,
  options: { check: { type: 'boolean' }, tag: { type: 'string' }, repository: { type: 'string' }, root: { type: 'string', default: join(import.meta.dirname, '..') } }
})

const read = (file) => readFileSync(join(values.root, file), 'utf8')
const readJson = (file) => JSON.parse(read(file))
const write = (file, text) => writeFileSync(join(values.root, file), text)
const writeJson = (file, content) => write(file, `${JSON.stringify(content, null, 2)}\n`)

/** The folders of all workspaces, and of those the published ones. */
const workspaces = readJson('package.json').workspaces.flatMap((pattern) => pattern.endsWith('/*')
  ? readdirSync(join(values.root, pattern.slice(0, -2))).map((name) => join(pattern.slice(0, -2), name))
  : [pattern]).filter((folder) => existsSync(join(values.root, folder, 'package.json')))
const published = workspaces.filter((folder) => readJson(join(folder, 'package.json')).private !== true)
const names = published.map((folder) => readJson(join(folder, 'package.json')).name)
const urlOf = (repository) => `git+https://github.com/${repository}.git`

if (values.check) check()
else if (values.repository !== undefined) setRepository(values.repository)
else if (/^\d+\.\d+\.\d+(-[0-9a-z.-]+)?$/i.test(version ?? '')) setVersion(version)
else fail(['give a version such as 0.2.0, or --check, or --repository OWNER/NAME'])

/** Changes a manifest, and its part of the lock file, alike. */
function change (folders, edit) {
  const lock = readJson('package-lock.json')
  for (const folder of folders) {
    const manifest = readJson(join(folder, 'package.json'))
    edit(manifest)
    writeJson(join(folder, 'package.json'), manifest)
    edit(lock.packages[folder])
  }
  writeJson('package-lock.json', lock)
}

function setVersion (next) {
  const changelog = read('CHANGELOG.md')
  if (!/^## Unreleased\n+###/m.test(changelog)) fail(['CHANGELOG.md has nothing under "## Unreleased"'])
  change(workspaces, (manifest) => {
    if (names.includes(manifest.name)) manifest.version = next
    for (const kind of ['dependencies', 'devDependencies']) {
      for (const name of names) if (manifest[kind]?.[name] !== undefined) manifest[kind][name] = next
    }
  })
  write('CHANGELOG.md', changelog.replace(UNRELEASED, `${UNRELEASED}\n\n## ${next} (${new Date().toISOString().slice(0, 10)})`))
  console.log(`Version ${next}. Look at the difference; then: git commit -am "Release ${next}" && git tag -a v${next} -m v${next} && git push --follow-tags`)
}

function setRepository (repository) {
  if (!/^[\w.-]+\/[\w.-]+$/.test(repository)) fail([`--repository is OWNER/NAME, not ${repository}`])
  const before = readJson('package.json').repository.url.replace(/^git\+|\.git$/g, '')
  for (const folder of ['.', ...published]) {
    const manifest = readJson(join(folder, 'package.json'))
    manifest.repository.url = urlOf(repository)
    writeJson(join(folder, 'package.json'), manifest)
  }
  for (const file of LINKING) write(file, read(file).replaceAll(`${before}/`, `https://github.com/${repository}/`))
  console.log('The dashboards have links, too: npm run dashboards -w packages/cache-metrics')
}

function check () {
  const manifests = published.map((folder) => ({ folder, ...readJson(join(folder, 'package.json')) }))
  const current = manifests[0].version
  const { url } = readJson('package.json').repository
  const wrong = []
  for (const { folder, name, version, repository } of manifests) {
    if (version !== current) wrong.push(`${name} has version ${version}, another package ${current}`)
    if (repository?.url !== url || repository.directory !== folder) wrong.push(`${name}: "repository" is not ${url} with the directory ${folder}`)
  }
  for (const folder of workspaces) {
    const { name, dependencies, devDependencies } = readJson(join(folder, 'package.json'))
    for (const [other, range] of Object.entries({ ...dependencies, ...devDependencies })) {
      if (names.includes(other) && range !== current) wrong.push(`${name} depends on ${other} ${range} and not on ${current}`)
    }
  }
  if (values.tag !== undefined) {
    if (values.tag !== `v${current}`) wrong.push(`the tag ${values.tag} is not v${current}, the version of the packages`)
    if (!read('CHANGELOG.md').includes(`\n## ${current} (`)) wrong.push(`CHANGELOG.md has no section ${current}: npm run release -- ${current}`)
    // npm refuses the provenance of a package whose manifest names another repository.
    const { GITHUB_REPOSITORY: here } = process.env
    if (here !== undefined && url !== urlOf(here)) wrong.push(`"repository" is ${url}, this one is ${here}: npm run release -- --repository ${here}`)
  }
  if (wrong.length > 0) fail(wrong)
  console.log(`ok - ${names.join(', ')} ${current}`)
}

function fail (problems) {
  for (const problem of problems) console.error(`release: ${problem}`)
  process.exit(1)
}
