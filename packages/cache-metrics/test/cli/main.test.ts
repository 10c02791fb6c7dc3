import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { bundle } from '@x/test-kit/bundle'
import t from 'tap'
import { fileOf, run, type Ran } from '../fixtures/run-cli.js'

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))
const TRACE = Array.from({ length: 1000 }, (_, at) => `user:${at % 50}`).join('\n')

/** Runs the tool in a separate process. `closesAfter`: its reader closes the pipe after this number of chunks. */
async function runProcess (argv: string[], stdin: string | Buffer = '', closesAfter = Infinity): Promise<Ran> {
  const child = spawn(process.execPath, [bundle(CLI, 'cache-metrics'), ...argv])
  const ran = { status: 0, stdout: '', stderr: '' }
  let chunks = 0
  if (closesAfter === 0) child.stdout.destroy()
  child.stdout.on('data', (data) => {
    ran.stdout += data
    if (++chunks === closesAfter) child.stdout.destroy()
  })
  child.stderr.on('data', (data) => { ran.stderr += data })
  child.stdin.on('error', () => {}).end(stdin)
  ran.status = (await once(child, 'close'))[0]
  return ran
}

t.test('help: names every command, source and option, and the exit statuses', async (t) => {
  const { status, stdout, stderr } = await run(['--help'])
  t.equal(status, 0)
  t.equal(stderr, '')
  for (const word of ['report', 'plan', 'gates', '--app URL', '--prometheus URL', '--trace FILE', '--format', '--header', '--window', '--selector', '--rate N', '--ttl LIST',
    '--entries LIST', '--load-ms N', '--value-bytes N', '--min-requests N', '--min-days N', '--pattern PATTERN', 'rollout ACTION', '--help', '--version']) t.ok(stdout.includes(word), word)
  t.match(stdout, /Exit status: 0 go, 1 no-go, 2 not enough data or inconclusive, 3 error\.\nrollout status: 0 [^]*1 [^]*2 [^]*3 error\.\nrollout with another action: 0 carried out, 3 not carried out\.\n$/)
  for (const line of stdout.split('\n')) t.ok(line.length <= 120, line)
})

t.test('version: is that of the package', async (t) => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  t.match(await run(['--version']), { status: 0, stdout: `${version}\n` })
})

t.test('mistakes: are one sentence on stderr and status 3', async (t) => {
  for (const argv of [[], ['report'], ['report', '--nope'], ['report', '--trace', '/no/such/file'], ['report', '--trace', ROOT]]) {
    const { status, stdout, stderr } = await run(argv)
    t.equal(status, 3)
    t.equal(stdout, '')
    t.match(stderr, /^cache-advisor: [^\n]+\n$/)
  }
})

t.test('mistakes: a file name that a terminal would obey is printed without that', async (t) => {
  const { stderr } = await run(['report', '--trace', '/no/such\u001b[2J\u009b2J\r\n\u202efile'])
  t.equal(stderr, 'cache-advisor: /no/such[2J2J file does not exist\n')
})

t.test('progress: is on a terminal, and is taken away', async (t) => {
  // The clock is moved, since the lines of one chunk are read in less time than there is between two reports of progress.
  const { now } = Date
  let time = now()
  Date.now = () => (time += 1000)
  t.teardown(() => { Date.now = now })
  const file = fileOf(t, TRACE)
  t.equal((await run(['report', '--trace', file], { isTTY: true })).stderr, '\r999 lines, 100 %\r\u001b[K')
  t.equal((await run(['report', '--trace', '-'], { isTTY: true, stdin: TRACE })).stderr, '\r999 lines\r\u001b[K')
  t.equal((await run(['report', '--trace', file])).stderr, '')
  t.equal((await run(['report', '--trace', file, '--format', 'json'], { isTTY: true, isPiped: true })).stderr, '')
  t.match((await run(['report', '--trace', file, '--format', 'json'], { isTTY: true })).stderr, /lines/)
})

t.test('process: prints what a pipeline needs, with the status', async (t) => {
  const file = fileOf(t, gzipSync(TRACE), 'trace.gz')
  const argv = ['report', '--trace', file, '--rate', '20', '--ttl', '1,10,60', '--entries', '100,1000', '--min-days', '0', '--format', 'json']
  // Only two runs are separate processes, one for each end of the exit statuses, since starting a process takes longer than all of the
  // work.
  const [good, poor, few, wrong] = await Promise.all([
    runProcess(argv),
    run(['plan', '--trace', '-'], { stdin: Array.from({ length: 500 }, (_, at) => `user:${at}`).join('\n') }),
    run(['gates', '--trace', file]),
    runProcess(['report', '--trace', '-'], gzipSync(TRACE).subarray(0, 100))
  ])
  t.match(good, { status: 0, stderr: '' })
  t.same(JSON.parse(good.stdout).points.map(({ ttl, entries }: { ttl: number, entries: number }) => `${ttl}/${entries}`), ['1/100', '1/1000', '10/100', '10/1000', '60/100', '60/1000'])
  t.match(poor, { status: 1, stdout: '', stderr: /^cache-advisor: There is no plan/ })
  t.equal(few.status, 2)
  t.match(wrong, { status: 3, stdout: '', stderr: 'cache-advisor: Standard input ends in the middle of its compressed data\n' })
})

t.test('process: a reader who has seen enough is no error', async (t) => {
  const { stderr, status } = await runProcess(['report', '--trace', fileOf(t, TRACE), '--min-days', '0'], '', 0)
  t.equal(stderr, '')
  t.equal(status, 0)
})
