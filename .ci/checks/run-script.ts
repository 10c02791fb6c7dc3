import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
// A guard against a hang only: a check that shares two cores with seven processes takes minutes.
const LIMIT_MS = 1_200_000

/** Declares a test that runs an npm script of the root and passes when its exit status is 0; a failure shows the script's output. */
export async function runScript (claim: string, script: string, ...args: string[]): Promise<void> {
  t.setTimeout(LIMIT_MS)
  await t.test(claim, { timeout: LIMIT_MS }, async (t) => {
    const { status, output } = await npmRun(script, args)
    t.equal(status, 0, `npm run ${[script, ...args].join(' ')}`, { output })
  })
}

/** Runs an npm script of the root; resolves with its exit status, and with what it wrote on both outputs. */
export function npmRun (script: string, args: readonly string[]): Promise<{ status: number | null, output: string }> {
  return new Promise((resolve, reject) => {
    let output = ''
    // tap puts its hooks into the environment of each process that it sees started: behind "env" none of them is left,
    // which TypeScript 7 could not be started with, and which would slow the others down.
    const child = spawn('env', ['-u', 'NODE_OPTIONS', '-u', 'NODE_V8_COVERAGE', 'npm', 'run', '--silent', script, '--', ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { output += text })
    child.once('error', reject)
    child.once('close', (status) => resolve({ status, output }))
  })
}
