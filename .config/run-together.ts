import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import processOnSpawn from 'process-on-spawn'
import t from 'tap'

/** One test file, as far as it has run. */
interface Run { readonly file: string; claims: number; done: number; failed: string[]; startedAt?: number; cpuAt?: number; isLoaded: boolean }

/** Between two lines of progress while a long file runs. */
const PROGRESS_MS = 20_000

/** Guards against hangs alone: on a machine that is busy with other work a process may take many times as long. */
const HANGS_MS = 3_600_000

/**
 * Runs the test files below folders in this process: to start a process for each takes longer than the tests. Folders below them that have a
 * `together.ts` of their own, and `servers/`, run in other processes.
 */
export async function runTogether (...folders: string[]): Promise<void> {
  await runFiles(folders.flatMap((folder) => {
    const hasOwn = (path: string): boolean => path !== folder && (existsSync(join(path, 'together.ts')) || hasOwn(dirname(path)))
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts') && !name.startsWith('servers/')).sort()
      .map((name) => join(folder, name)).filter((file) => !hasOwn(dirname(file)))
  }))
}

/** Runs test files in this process. */
export async function runFiles (files: readonly string[]): Promise<void> {
  if (process.env._TAPJS_PROCESSINFO_COVERAGE_ === '0') startChildrenBare()
  const loading = reportProgress()
  // As a test, so that those of the files wait until all are loaded.
  await t.test('every file is loaded', { timeout: HANGS_MS }, async () => {
    for (const file of files) {
      const loaded = loading(relative(process.cwd(), file))
      await import(pathToFileURL(file).href)
      loaded()
    }
  })
  t.setTimeout(HANGS_MS)
}

/**
 * Starts child processes without what tap adds to each of them for the coverage of its files: it takes a quarter of a second of processor
 * time per process.
 */
function startChildrenBare (): void {
  processOnSpawn.removeAllListeners()
  process.execArgv = process.execArgv.filter((arg) => !/processinfo|--enable-source-maps/.test(arg))
  const own = process.env.NODE_OPTIONS?.split(' ').filter((option) => !option.includes('processinfo')).join(' ')
  if (own !== undefined) process.env.NODE_OPTIONS = own
}

/** The CPU time of this process, in seconds; that of its children is not in it. */
function cpuSecondsNow (): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/**
 * Says on stderr which file is done, and which of its claims failed: tap passes on the results of a process when all of
 * them are there. Returns a function that is told of each file before it is loaded, and gives another to be called after.
 */
function reportProgress (): (file: string) => () => void {
  // The clock and the timers from before the tests, since some tests put others in their place.
  const { setInterval, Date: { now } } = globalThis
  const runs = new Map<object, Run>()
  let loading: Run | undefined
  let running: Run | undefined
  let saidAt = now()
  const say = (line: string): void => {
    saidAt = now()
    process.stderr.write(`${line}\n`)
  }
  const sayIfDone = (run: Run): void => {
    if (!run.isLoaded || run.done < run.claims) return
    const seconds = ((now() - (run.startedAt ?? now())) / 1000).toFixed(1)
    const cpuSeconds = (cpuSecondsNow() - (run.cpuAt ?? 0)).toFixed(1)
    say(`${run.failed.length === 0 ? 'done' : 'FAILED'} ${run.file}: ${run.claims} claims, ${seconds} s, ${cpuSeconds} s of CPU time${run.failed.map((claim) => `\n  not ok: ${claim}`).join('')}`)
  }
  t.on('subtestAdd', (test) => {
    if (loading === undefined) return
    loading.claims++
    runs.set(test, loading)
  })
  t.on('subtestStart', (test) => {
    const run = runs.get(test)
    if (run === undefined) return
    run.startedAt ??= now()
    run.cpuAt ??= cpuSecondsNow()
    running = run
  })
  t.on('subtestEnd', (test) => {
    const run = runs.get(test)
    if (run === undefined) return
    run.done++
    if (!test.passing()) run.failed.push(test.name)
    sayIfDone(run)
  })
  setInterval(() => {
    if (running === undefined || now() - saidAt < PROGRESS_MS) return
    say(`runs ${running.file}: ${running.done} of ${running.claims} claims are done`)
  }, PROGRESS_MS / 4).unref()
  return (file) => {
    const run: Run = { file, claims: 0, done: 0, failed: [], isLoaded: false }
    loading = run
    return () => {
      loading = undefined
      run.isLoaded = true
    }
  }
}
