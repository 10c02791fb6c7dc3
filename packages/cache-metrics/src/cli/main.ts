import { readFileSync } from 'node:fs'
import { oneLine } from '../advisor/report/escape.js'
import { verdictOf, type GateVerdict } from '../advisor/report/go-no-go-gates.js'
import { reportOfApp } from './app-source.js'
import { readArguments, type Command } from './arguments.js'
import { AdvisorError } from './errors.js'
import type { Out } from './output-stream.js'
import { show, type Findings } from './output.js'
import { reportOfPrometheus } from './prometheus-source.js'
import { stageOfPrometheus } from './prometheus-stage.js'
import { rolloutIfAny, rolloutOf, type SentRollout } from './rollout-source.js'
import { showRollout } from './rollout-text.js'
import { reportOfTrace } from './trace-source.js'
import { USAGE } from './usage.js'

/** The streams and the time limit for a run of `cache-advisor`; `process` is such an object. */
export interface Surroundings {
  readonly stdin: AsyncIterable<Buffer>
  readonly stdout: Out
  readonly stderr: Out
  /**
   * Milliseconds within which each response of a server must come.
   * @default 30 000
   */
  readonly timeoutMs?: number
}

const STATUS: Readonly<Record<GateVerdict, number>> = { go: 0, 'no-go': 1, inconclusive: 2, 'not enough data': 2 }
const ERROR_STATUS = 3
const DEFAULT_TIMEOUT_MS = 30_000

/** Runs `cache-advisor`. Resolves with its exit status: 0 go, 1 no-go, 2 not decided, 3 error. Never rejects. */
export async function main (argv: readonly string[], around: Surroundings): Promise<number> {
  try {
    const command = readArguments(argv)
    if (command === 'help' || command === 'version') {
      around.stdout.write(command === 'help' ? USAGE : `${version()}\n`)
      return 0
    }
    if (command.name === 'rollout') {
      const rollout = await rolloutOf(command, around.timeoutMs ?? DEFAULT_TIMEOUT_MS)
      around.stdout.write(showRollout(command, rollout))
      return command.action === 'status' ? rolloutStatus(rollout) : STATUS.go
    }
    const findings = await find(command, around)
    around.stdout.write(show(command, findings))
    return statusOf(command, findings, around.stderr)
  } catch (error) {
    const { message } = error as Error
    around.stderr.write(`cache-advisor: ${oneLine(error instanceof AdvisorError ? message : `failed, and should not have: ${message}`)}\n`)
    return ERROR_STATUS
  }
}

async function find (command: Command, around: Surroundings): Promise<Findings> {
  const { name, source, format } = command
  const { stdin, stdout, stderr, timeoutMs = DEFAULT_TIMEOUT_MS } = around
  switch (source.kind) {
    case 'app': {
      const report = await reportOfApp(source, timeoutMs)
      return name === 'gates' ? { ...report, rollout: await rolloutIfAny(source.server, timeoutMs) } : report
    }
    case 'prometheus': {
      const report = await reportOfPrometheus(source, timeoutMs)
      if (name !== 'gates') return report
      const { stage, notes } = await stageOfPrometheus(source, report.observedSeconds, timeoutMs)
      return { ...report, rollout: stage, notes: [...report.notes, ...notes] }
    }
    case 'trace': {
      const isWatched = stderr.isTTY === true && (format !== 'json' || stdout.isTTY === true)
      return reportOfTrace(source, stdin, isWatched ? stderr : undefined)
    }
  }
}

function statusOf ({ name }: Command, { advice, gates, plan, verdict, rollout }: Findings, stderr: Out): number {
  if (name === 'report') return STATUS[verdict]
  if (name === 'gates') return rollout?.verdict === 'back' ? STATUS['no-go'] : STATUS[verdictOf(gates)]
  if (plan !== undefined) return STATUS.go
  const isKnown = advice.some(({ judgement }) => judgement.kind !== 'not enough data')
  stderr.write(`cache-advisor: There is no plan: ${isKnown
    ? 'no key pattern and no route is good enough, see the report'
    : 'there is not enough data, see the report'}\n`)
  return STATUS[isKnown ? 'no-go' : 'not enough data']
}

/**
 * Returns the exit status of `cache-advisor rollout`: 0 if the rollout goes well, 1 if it is off or its criteria step back, 2 if it waits.
 */
function rolloutStatus ({ killed, completed, verdict, problem }: SentRollout): number {
  if (killed || verdict === 'back') return STATUS['no-go']
  if (typeof problem === 'string') return STATUS['not enough data']
  return completed || verdict === 'go' ? STATUS.go : STATUS['not enough data']
}

function version (): string {
  return (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version
}
