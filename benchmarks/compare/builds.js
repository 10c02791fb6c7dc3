// Builds another revision of this repository in a temporary folder.
import { execFile } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)
const SCOPE = '@x'

/** The root folder of this working tree. */
export const thisTree = join(import.meta.dirname, '../..')

async function run (sentence, cwd, command, ...args) {
  try {
    return (await exec(command, args, { cwd, maxBuffer: 2 ** 26 })).stdout.trim()
  } catch (error) {
    throw new Error(`${sentence}:\n${error.stdout ?? ''}${error.stderr ?? error.message}`.trim())
  }
}

/** Returns the full hash of a revision. Rejects with a readable sentence if the repository does not have the revision. */
async function findCommit (revision) {
  await run('The base revision comes from git, and this folder is not a git working tree', thisTree, 'git', 'rev-parse', '--git-dir')
  const shallow = await run('git fails', thisTree, 'git', 'rev-parse', '--is-shallow-repository')
  const hint = shallow === 'true' ? ' (the clone is shallow: "git fetch --unshallow" fetches all of it)' : ''
  return await run(`The history has no commit ${JSON.stringify(revision)}${hint}`, thisTree, 'git', 'rev-parse', '--verify', '--end-of-options', `${revision}^{commit}`)
}

/**
 * Links every entry of a `node_modules` folder of this tree into the other revision, except the packages of the suite, which come from that
 * revision.
 */
async function linkModules (from, to, base) {
  await mkdir(to, { recursive: true })
  for (const name of await readdir(from)) {
    if (name !== SCOPE) await symlink(await realpath(join(from, name)), join(to, name))
  }
  if (!existsSync(join(from, SCOPE))) return
  const tree = await realpath(thisTree)
  await mkdir(join(to, SCOPE))
  for (const name of await readdir(join(from, SCOPE))) {
    const own = (await realpath(join(from, SCOPE, name))).replace(tree, base)
    await symlink(own, join(to, SCOPE, name))
  }
}

/** Provides the third-party packages of the other revision: those of this tree if both lock files are equal, else a fresh installation. */
async function provideModules (base) {
  const locks = await Promise.all([thisTree, base].map((root) => readFile(join(root, 'package-lock.json'), 'utf8')))
  if (locks[0] !== locks[1]) {
    console.error('The lock file differs: installing the packages of the base …')
    await run('The packages of the base cannot be installed', base, 'npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund')
    return
  }
  await linkModules(join(thisTree, 'node_modules'), join(base, 'node_modules'), base)
  for (const folder of ['packages', 'examples']) {
    for (const name of await readdir(join(base, folder))) {
      const own = join(folder, name, 'node_modules')
      if (existsSync(join(thisTree, own))) await linkModules(join(thisTree, own), join(base, own), base)
    }
  }
}

/**
 * Checks out and builds `revision`; returns `{ root, commit }`. The folder is removed when this process ends. Rejects with a readable
 * sentence if git does not have the revision, or if it cannot be installed or compiled.
 */
export async function buildBase (revision) {
  const commit = await findCommit(revision)
  const root = await realpath(await mkdtemp(join(tmpdir(), 'cache-bench-base-')))
  // The folder is removed on the event `exit`, which also occurs after a signal.
  process.once('exit', () => rmSync(root, { recursive: true, force: true, maxRetries: 10 }))
  const archive = join(root, 'base.tar')
  await run(`git cannot export ${commit}`, thisTree, 'git', 'archive', '--format=tar', '-o', archive, commit)
  await run('tar fails', root, 'tar', '-xf', archive)
  await rm(archive)
  await provideModules(root)
  await run(`The base ${commit} does not build`, root, 'npm', 'run', 'build')
  return { root, commit }
}
