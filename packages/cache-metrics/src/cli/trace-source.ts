import { advise, type Advice } from '../advisor/report/advice.js'
import { gates, type Gate } from '../advisor/report/go-no-go-gates.js'
import { planFor, planForAllKeys, type Plan } from '../advisor/report/plan.js'
import { verdictOfReport, type Report } from '../advisor/report/report.js'
import { AccessLog } from './access-log.js'
import type { TraceSource } from './sources.js'
import type { Out } from './output-stream.js'
import { ALL, type PlainTrace } from './plain-trace.js'
import { readLines } from './trace-file.js'
import { TraceLines } from './trace-lines.js'
import { TraceStudy } from './trace-study.js'

const PROGRESS_MS = 200

/** The advisor's report of a trace, with the points of the reuse curve over all its keys. */
export interface TraceReport extends Report {
  readonly points: ReadonlyArray<{ readonly ttl: number, readonly entries: number, readonly hitRate: number }>
}

/**
 * Reads a trace file (an access log or a list of keys) and makes the advisor's report of it.
 * @param watcher the stream for the progress line; `undefined`: no progress is shown
 */
export async function reportOfTrace (source: TraceSource, stdin: AsyncIterable<Buffer>, watcher: Out | undefined): Promise<TraceReport> {
  const lines = new TraceLines(() => new TraceStudy(source), source.rate, source.logFormat)
  const name = source.file === '-' ? 'standard input' : source.file
  await watched(watcher, lines, (progress) => readLines(source.file, stdin, lines, progress))
  const trace = lines.end(name)
  const { study } = trace
  const observations = study.observations(trace.kind, trace.seconds).map((one) => ({ ...one, name: trace.nameOf(one.name) }))
  const advice = advise(observations, source.wishes)
  const rows = gatesOf(trace, study, source.minSeconds)
  return {
    version: 1,
    generatedAt: new Date().toISOString(),
    source: `trace ${name} (${trace.form})`,
    observedSeconds: trace.seconds,
    requests: study.requests,
    verdict: verdictOfReport(advice, rows),
    advice,
    gates: rows,
    plan: planOf(advice),
    notes: [...trace.notes, ...notesOn(advice, lines)],
    points: study.points()
  }
}

async function watched (
  watcher: Out | undefined, lines: TraceLines, read: (progress: (bytes: number, size: number | undefined) => void) => Promise<void>
): Promise<void> {
  if (watcher === undefined) return read(() => {})
  let next = Date.now() + PROGRESS_MS
  try {
    await read((bytes, size) => {
      if (Date.now() < next) return
      next = Date.now() + PROGRESS_MS
      watcher.write(`\r${lines.lines.toLocaleString('en-US')} lines${size === undefined ? '' : `, ${Math.floor(bytes / size * 100)} %`}`)
    })
  } finally {
    // The escape sequence removes the progress line from the terminal.
    watcher.write('\r\x1b[K')
  }
}

/**
 * Returns the go/no-go gates of a trace. Gates for which the trace has no data have no value: a file of keys has no routes, and a log has
 * no key patterns.
 */
function gatesOf (trace: AccessLog | PlainTrace, study: TraceStudy, minSeconds: number): Gate[] {
  const isLog = trace instanceof AccessLog
  const rows = gates({
    seconds: trace.seconds,
    source: 'a trace',
    candidates: study.requests,
    etagMatches: isLog ? trace.notModified : 0,
    edgeCandidates: 0,
    requests: isLog ? trace.requests : study.requests,
    routes: study.patterns.map((one) => ({ ...one, p95Seconds: undefined })),
    patterns: study.patterns
  }, minSeconds)
  return rows.map((row) => row.formula.includes('key_pattern') === isLog ? { ...row, value: undefined, verdict: 'not enough data' } : row)
}

function planOf (advice: readonly Advice[]): Plan | undefined {
  const plan = planFor(advice)
  const { patterns = {} } = plan?.options ?? {}
  return plan === undefined || !Object.hasOwn(patterns, ALL) ? plan : planForAllKeys(plan, patterns[ALL]!)
}

function notesOn (advice: readonly Advice[], { lines, unreadable }: TraceLines): string[] {
  if (advice.length === 0) return ['The trace has no requests.']
  const notes = ['A trace has no values: how stale hits would be, and whether a key lacks what its value depends on, is not known.']
  if (unreadable > 0) notes.push(`${unreadable} of ${lines} lines could not be read.`)
  if (advice.some(({ meanSeconds }) => meanSeconds === undefined)) notes.push('Load times are unknown, and with them the priorities and what is saved: the verdict goes by the hits alone. --load-ms N prices them.')
  if (advice.some(({ memoryBytes }) => memoryBytes === undefined)) notes.push('Sizes of values are unknown: memory is given in entries. --value-bytes N prices them.')
  return notes
}
