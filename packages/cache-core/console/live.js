// The counts of the last minutes and the rates that follow from them: differences between two answers of one process.
const { cacheConsole } = globalThis

/** Milliseconds over which a rate is computed, and the tolerance for polls that come a little early. */
const LIVE_MS = 10_000
const TOLERANCE_MS = 1000
/** The shortest time over which a rate is shown: a tab that is shown again polls at once, beside its timer. */
const LEAST_MS = 1000
/** The longest time between two answers of a process whose difference is shown, for each process that answers: a pause is longer. */
const MAX_MS = 15_000
/** Milliseconds that the chart of the hit rate shows. */
const SHOWN_MS = 300_000
/** Milliseconds in which the processes that answer are counted. */
const COUNTED_MS = 60_000
/** Milliseconds of silence, for each process that answers, after which another process is shown in place of a silent one. */
const SILENT_MS = 8000

/**
 * The counts of the processes that answer at the address of the page: several if the app runs in a cluster or behind a load balancer. Each
 * process has a history of its own, and one of them is shown, since counts of two processes have no difference with a meaning.
 */
class LiveCounts {
  /** The processes by id, each as `{ heardAt, inService, polls }`. */
  #processes = new Map()
  #shown
  #now = 0

  /**
   * Adds an answer of `/counts` to the history of its process.
   * @returns whether the process is the one that is shown
   */
  note (counts, now = performance.now()) {
    this.#now = now
    for (const [id, { heardAt }] of this.#processes) if (now - heardAt > SHOWN_MS) this.#processes.delete(id)
    const inService = counts.implementations.filter((each) => each.isInService)
    const names = inService.map(({ impl }) => impl).join(' ')
    const own = this.#processes.get(counts.process)
    const poll = pollOf(counts, inService)
    // A history goes on with the same implementation, and not over a clock of the server that was set back.
    const isSame = own !== undefined && own.inService === names && poll.at >= own.polls.at(-1).at
    const polls = isSame ? own.polls : []
    polls.push(poll)
    while (polls.at(-1).at - polls[0].at > SHOWN_MS) polls.shift()
    this.#processes.set(counts.process, { heardAt: now, inService: names, polls })
    const shown = this.#processes.get(this.#shown)
    if (shown === undefined || now - shown.heardAt > SILENT_MS * this.processes) this.#shown = counts.process
    return this.#shown === counts.process
  }

  /** The number of processes that answered in the last minute. */
  get processes () {
    return [...this.#processes.values()].filter(({ heardAt }) => this.#now - heardAt <= COUNTED_MS).length
  }

  /** The difference over about ten seconds until the last answer, fewer at the beginning; `undefined` while there is none. */
  get latest () {
    const polls = this.#polls
    const at = polls.length - 1
    return between(polls[this.#startOf(polls, at, LEAST_MS)], polls[at])
  }

  /**
   * The differences over about ten seconds of the last five minutes, each with the time `at`. A list for each part of the history that no
   * pause interrupts.
   */
  get parts () {
    const polls = this.#polls
    const parts = []
    for (let at = 1; at < polls.length; at++) {
      if (polls[at].at - polls[at - 1].at > this.#maxMs || parts.length === 0) parts.push([])
      const step = between(polls[this.#startOf(polls, at, LIVE_MS - TOLERANCE_MS)], polls[at])
      if (step !== undefined) parts.at(-1).push(step)
    }
    return parts.filter((part) => part.length > 0)
  }

  get #polls () {
    return this.#processes.get(this.#shown)?.polls ?? []
  }

  get #maxMs () {
    return MAX_MS * Math.max(1, this.processes)
  }

  /** Returns the index of the answer at which a difference until the answer `end` begins, by time; -1: none is old or new enough. */
  #startOf (polls, end, leastMs) {
    let start = -1
    for (let at = end - 1; at >= 0; at--) {
      const distance = polls[end].at - polls[at].at
      if (distance > this.#maxMs) break
      if (distance >= leastMs) start = at
      if (distance >= LIVE_MS - TOLERANCE_MS) break
    }
    return start
  }
}

function pollOf ({ at, durationBounds, implementations }, inService) {
  const sum = (of) => inService.reduce((total, each) => total + of(each), 0)
  return {
    at: Date.parse(at),
    reads: sum(({ hits, misses }) => hits + misses),
    hits: sum(({ hits }) => hits),
    durationBounds,
    operations: new Map(implementations.flatMap(({ impl, operations }) => operations.map((each) => [`${impl} ${each.operation}`, each])))
  }
}

/** Returns what happened between two answers; `undefined` if one is missing, or if the counts began anew between them. */
function between (one, other) {
  if (one === undefined || other === undefined || other.reads < one.reads || other.at <= one.at) return undefined
  const seconds = (other.at - one.at) / 1000
  return {
    at: other.at,
    seconds,
    reads: other.reads - one.reads,
    hits: other.hits - one.hits,
    /** Returns the calls per second of an operation, and the mean and the 95th percentile of their durations; `undefined` without a call. */
    operation (name) {
      const [before, after] = [one.operations.get(name), other.operations.get(name)]
      const count = (after?.count ?? 0) - (before?.count ?? 0)
      if (!(count > 0)) return undefined
      const buckets = after.buckets.map((each, bucket) => each - (before?.buckets[bucket] ?? 0))
      return { perSecond: count / seconds, meanSeconds: (after.sumSeconds - (before?.sumSeconds ?? 0)) / count, p95Seconds: quantile(buckets, 0.95 * count, other.durationBounds) }
    }
  }
}

/** Returns the upper bound of the bucket with the duration of a rank; `null`: it is above all bounds. */
function quantile (buckets, rank, bounds) {
  let seen = 0
  const bucket = buckets.findIndex((each) => (seen += each) >= rank)
  return bounds[bucket] ?? null
}

Object.assign(cacheConsole, { LiveCounts })
