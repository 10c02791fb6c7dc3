import { Agent, request, type RequestOptions } from 'node:http'
import { createHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { urlToHttpOptions } from 'node:url'

/** How requests are sent. */
export interface LoadOptions {
  /** Where to: `http://host:port`. */
  url: string
  /** A path with `:id` in it. */
  path: string
  /** Requests under way at once; `1` keeps the order of the trace. */
  concurrency: number
  /** Requests per second; undefined: as fast as they are answered. */
  rate?: number | undefined
  /** Called for each id as its request is sent. */
  onSend?: (id: string) => void
}

/** What came back. */
export interface LoadReport {
  sent: number
  /** Answers by status; `failed` counts requests without an answer. */
  statuses: Record<string, number>
  /** The first failure's sentence. */
  firstFailure?: string
  seconds: number
  latencyMs: { p50: number; p90: number; p99: number; max: number }
}

const TIMEOUT_MS = 30_000
// Of a histogram of microseconds: wide enough for the timeout.
const HIGHEST_US = 2 * TIMEOUT_MS * 1000

/** Sends a GET for each id over connections that are kept alive, and measures the answers. */
export async function sendRequests (ids: AsyncIterable<string> | Iterable<string>, options: LoadOptions): Promise<LoadReport> {
  const { url, path, concurrency, rate, onSend } = options
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency })
  // Parsed once and not for each request.
  const target: RequestOptions = { ...urlToHttpOptions(new URL(url)), agent, timeout: TIMEOUT_MS }
  const latency = createHistogram({ lowest: 1, highest: HIGHEST_US, figures: 3 })
  const statuses: Record<string, number> = {}
  let sent = 0
  let firstFailure: string | undefined
  const start = performance.now()

  const send = async (id: string): Promise<void> => {
    const began = performance.now()
    let outcome: string
    try {
      outcome = String(await get({ ...target, path: path.replace(':id', encodeURIComponent(id)) }))
    } catch (error) {
      outcome = 'failed'
      firstFailure ??= (error as Error).message
    }
    latency.record(Math.min(Math.max(Math.round((performance.now() - began) * 1000), 1), HIGHEST_US))
    statuses[outcome] = (statuses[outcome] ?? 0) + 1
  }

  // One source for all workers: an async generator hands out its values one after the other.
  const source = each(ids)
  const work = async (): Promise<void> => {
    for (let next = await source.next(); next.done !== true; next = await source.next()) {
      const due = rate === undefined ? 0 : start + sent * 1000 / rate
      sent++
      const early = due - performance.now()
      if (early > 0) await sleep(early)
      onSend?.(next.value)
      await send(next.value)
    }
  }
  try {
    await Promise.all(Array.from({ length: concurrency }, work))
  } finally {
    agent.destroy()
  }

  const ms = (microseconds: number) => microseconds / 1000
  return {
    sent,
    statuses,
    ...firstFailure === undefined ? {} : { firstFailure },
    seconds: (performance.now() - start) / 1000,
    latencyMs: {
      p50: ms(latency.percentile(50)), p90: ms(latency.percentile(90)), p99: ms(latency.percentile(99)), max: sent > 0 ? ms(latency.max) : 0
    }
  }
}

async function * each (ids: AsyncIterable<string> | Iterable<string>): AsyncGenerator<string> {
  yield * ids
}

/** The status of the answer; its body is read and dropped. */
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
