// Provides another version of Node, from npm's package `node`, in a temporary folder.
import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)

/**
 * Installs a version of Node, such as `26`; returns its path and its full version. Without a version it returns this process's Node. The
 * folder is removed when this process ends. Rejects with a readable sentence if npm cannot install the version.
 */
export async function provideNode (version) {
  if (version === undefined) return { execPath: process.execPath, version: process.version }
  const folder = await mkdtemp(join(tmpdir(), 'cache-bench-node-'))
  // The folder is removed on the event `exit`, which also occurs after a signal.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
  try {
    // Some configurations of npm do not run the script of the package, which puts the binary into its place, so npm is told to run it.
    await exec('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--no-save', '--foreground-scripts', '--ignore-scripts=false', `node@${version}`])
    const execPath = join(folder, 'node_modules/node/bin/node')
    return { execPath, version: (await exec(execPath, ['--version'])).stdout.trim() }
  } catch (error) {
    throw new Error(`npm cannot install node@${version}:\n${error.stderr ?? error.message}`.trim())
  }
}
