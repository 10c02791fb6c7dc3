import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { oneLine } from '../advisor/report/escape.js'
import type { RolloutCommand } from './arguments.js'
import { AdvisorError } from './errors.js'
import { ask, hintFor, pageOf, shown, withoutSecrets, type Answer, type Server } from './server.js'

/** The path of the endpoints of a rollout, below the address of the app. */
const ROLLOUT_PATH = '/internal/cache/rollout'
/** The maximum length, in characters, of a text from the app that an error message quotes. */
const MAX_TEXT = 500

const maybe = <T extends Parameters<typeof Type.Optional>[0]>(type: T) => Type.Optional(Type.Union([type, Type.Null()]))
const verdict = Type.Union([Type.Literal('go'), Type.Literal('back'), Type.Literal('wait')])
const arm = Type.Object({
  requests: Type.Number(),
  failures: Type.Number(),
  p50: maybe(Type.Number()),
  p95: maybe(Type.Number()),
  p99: maybe(Type.Number()),
  reads: maybe(Type.Number()),
  hits: maybe(Type.Number()),
  loads: maybe(Type.Number()),
  cacheErrors: maybe(Type.Number()),
  operations: maybe(Type.Number())
})

/** The schema of a rollout's status that comes from the network: the parts that are printed or decide the exit status. */
const rolloutSchema = Type.Object({
  percent: Type.Number(),
  stage: Type.Number(),
  stages: Type.Array(Type.Number()),
  paused: Type.Boolean(),
  killed: Type.Boolean(),
  completed: Type.Boolean(),
  advance: Type.String(),
  holdOut: Type.Number(),
  patterns: Type.Record(Type.String(), Type.Number()),
  observedMinutes: Type.Number(),
  minutesToCount: Type.Number(),
  recommendation: maybe(Type.String()),
  problem: maybe(Type.String()),
  note: maybe(Type.String()),
  arms: Type.Object({ cached: arm, control: arm }),
  comparison: maybe(Type.String()),
  verdict: maybe(verdict),
  reason: maybe(Type.String()),
  gates: maybe(Type.Array(Type.Object({
    name: Type.String(), value: maybe(Type.Number()), threshold: Type.String(), unit: Type.String(), verdict, reason: Type.String()
  }))),
  history: Type.Array(Type.Object({
    at: Type.String(), from: Type.Number(), to: Type.Number(), reason: Type.String(), by: Type.String(), pattern: maybe(Type.String())
  }))
})

/** The status of a rollout as an app sends it. */
export type SentRollout = Static<typeof rolloutSchema>

/**
 * Reads the status of an app's rollout, after an operator's action if one is given.
 * @throws `CACHE_ERR_ADVISOR` if the app has no canary, refuses the action or sends something else
 */
export async function rolloutOf ({ server, action, percent, pattern }: RolloutCommand, timeoutMs: number): Promise<SentRollout> {
  const page = pageOf(server, ROLLOUT_PATH)
  const body = action === 'status'
    ? undefined
    : { action, ...percent === undefined ? {} : { percent }, ...pattern === undefined ? {} : { pattern } }
  return parse(await ask(page, server, timeoutMs, body), page, server)
}

/** Reads the status of the rollout of an app that may be of an older release; `undefined`: the app has no canary. */
export async function rolloutIfAny (server: Server, timeoutMs: number): Promise<SentRollout | undefined> {
  const page = pageOf(server, ROLLOUT_PATH)
  const answer = await ask(page, server, timeoutMs)
  return answer.status === 404 ? undefined : parse(answer, page, server)
}

function parse ({ status, json }: Answer, page: URL, server: Server): SentRollout {
  if (status !== 200) throw new AdvisorError(`${shown(page)} answers ${status}${refusalOf(json, server) ?? hintAfter(status)}`)
  if (!Value.Check(rolloutSchema, json)) throw new AdvisorError(`${shown(page)} answers, but not with a rollout: is it the app, and of the release of this cache-advisor?`)
  return json
}

/** Returns the message of a coded error in a response, which names the remedy; `undefined`: the response has no such message. */
function refusalOf (json: unknown, server: Server): string | undefined {
  const { code, message } = (json ?? {}) as { code?: unknown; message?: unknown }
  if (typeof code !== 'string' || !code.startsWith('CACHE_ERR_ROLLOUT') || typeof message !== 'string') return undefined
  return `: ${withoutSecrets(oneLine(message), server).slice(0, MAX_TEXT)}`
}

function hintAfter (status: number): string {
  if (status === 405) return ': something in front of the app refuses the method'
  return hintFor(status, 'is this the address of the app, with its prefix, has the app a canary (rollout: { canary: true } of @x/cache-core), and is the page exposed, with a guard,')
}
