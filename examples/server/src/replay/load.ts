import { Agent, request, type RequestOptions } from 'node:http'
import { createHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { urlToHttpOptions } from 'node:url'

/** The settings by which requests are sent. */
export interface LoadOptions {
  /** The address of the server: `http://host:port`. */
  url: string
  /** The path of the requests; `:id` in it is replaced by an id. */
  path: string
  /** The number of concurrent requests; `1` preserves the order of the trace. */
  concurrency: number
  /** The number of requests sent per second; `undefined`: a new request is sent as soon as a response arrives. */
  rate?: number | undefined
  /**
   * The number of users, at least 1, that take turns in sending requests, each with its id in the header `x-user-id`; `undefined`: requests
   * have no such header.
   */
  users?: number | undefined
  /** Returns the group of a user; responses are then also reported for each group. */
  groupOf?: ((user: number) => string) | undefined
  /** Called with the id of each request when it is sent. */
  onSend?: (id: string) => void
}

/** The counted responses to a set of requests. */
export interface Answers {
  sent: number
  /** The number of responses by status; `failed` counts requests without a response. */
  statuses: Record<string, number>
  latencyMs: { p50: number; p90: number; p99: number; max: number }
}

/** The counted responses to all requests of a replay. */
export interface LoadReport extends Answers {
  /** The message of the first request that failed. */
  firstFailure?: string
  seconds: number
  /** The responses for each group of users; groups without requests are missing. */
  groups: Record<string, Answers>
}

const TIMEOUT_MS = 30_000
// The highest value of a histogram, in microseconds; it is above the timeout of a request.
const HIGHEST_US = 2 * TIMEOUT_MS * 1000

/** Sends a GET for each id over persistent connections, and measures the responses. */
export async function sendRequests (ids: AsyncIterable<string> | Iterable<string>, options: LoadOptions): Promise<LoadReport> {
  const { url, path, concurrency, rate, users, groupOf, onSend } = options
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency })
  // The URL is parsed once, since parsing it for each request would take too much time.
  const target: RequestOptions = { ...urlToHttpOptions(new URL(url)), agent, timeout: TIMEOUT_MS }
  const all = new Tally()
  const groups = new Map<string, Tally>()
  let sent = 0
  let firstFailure: string | undefined
  const start = performance.now()

  const tallyOf = (user: number | undefined): Tally | undefined => {
    if (user === undefined || groupOf === undefined) return undefined
    const group = groupOf(user)
    let tally = groups.get(group)
    if (tally === undefined) groups.set(group, tally = new Tally())
    return tally
  }
  const send = async (id: string, user: number | undefined): Promise<void> => {
    const began = performance.now()
    let outcome: string
    try {
      outcome = String(await get({ ...target, path: path.replace(':id', encodeURIComponent(id)), headers: user === undefined ? {} : { 'x-user-id': String(user) } }))
    } catch (error) {
      outcome = 'failed'
      firstFailure ??= (error as Error).message
    }
    const took = performance.now() - began
    all.note(outcome, took)
    tallyOf(user)?.note(outcome, took)
  }

  // All workers take their ids from one iterator, so that no id is sent twice; an async generator returns its values one after the other.
  const source = each(ids)
  const work = async (): Promise<void> => {
    for (let next = await source.next(); next.done !== true; next = await source.next()) {
      const due = rate === undefined ? 0 : start + sent * 1000 / rate
      const user = users === undefined ? undefined : sent % users + 1
      sent++
      const early = due - performance.now()
      if (early > 0) await sleep(early)
      onSend?.(next.value)
      await send(next.value, user)
    }
  }
  try {
    await Promise.all(Array.from({ length: concurrency }, work))
  } finally {
    agent.destroy()
  }

  return {
    ...all.answers(),
    ...firstFailure === undefined ? {} : { firstFailure },
    seconds: (performance.now() - start) / 1000,
    groups: Object.fromEntries([...groups].map(([group, tally]) => [group, tally.answers()]))
  }
}

class Tally {
  readonly #latency = createHistogram({ lowest: 1, highest: HIGHEST_US, figures: 3 })
  readonly #statuses: Record<string, number> = {}
  #sent = 0

  note (outcome: string, tookMs: number): void {
    this.#sent++
    this.#statuses[outcome] = (this.#statuses[outcome] ?? 0) + 1
    this.#latency.record(Math.min(Math.max(Math.round(tookMs * 1000), 1), HIGHEST_US))
  }

  answers (): Answers {
    const ms = (share: number): number => this.#latency.percentile(share) / 1000
    return {
      sent: this.#sent,
      statuses: this.#statuses,
      latencyMs: { p50: ms(50), p90: ms(90), p99: ms(99), max: this.#sent > 0 ? this.#latency.max / 1000 : 0 }
    }
  }
}

async function * each (ids: AsyncIterable<string> | Iterable<string>): AsyncGenerator<string> {
  yield * ids
}

/** Sends a GET; resolves with the status of the response, whose body is read and dropped. */
function get (options: RequestOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(options, (incoming) => {
      incoming.on('error', reject)
      incoming.on('end', () => resolve(incoming.statusCode ?? 0))
      incoming.resume()
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    outgoing.on('error', reject)
    outgoing.end()
  })
}
