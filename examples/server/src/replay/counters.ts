/** The counts of a server for the keys of one pattern. */
export interface PatternCounts { hits: number; misses: number; sets: number }

export type Arm = 'cached' | 'control'

/** The counts of a server, read from its metrics. */
export interface ServerCounts {
  /** The counts by key pattern, summed over all implementations. */
  patterns: Record<string, PatternCounts>
  /** The counts by arm of the rollout, over all key patterns; `control` has the counts under the label `impl="null"`. */
  arms: Record<Arm, PatternCounts>
  /** The percent of the rollout at the time when the counts were read. */
  percent: number
  /** GET requests that a shared cache could answer, by the pattern of their route. */
  candidates: Record<string, number>
}

/** The differences of a server's counts over a replay, with their sums. */
export interface Counted extends ServerCounts { total: PatternCounts; candidatesTotal: number }

const SAMPLE = /^(\w+)\{(.*)\} (\S+)/
const PERCENT = /^cache_rollout_percent (\S+)/
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g
const COUNTS: Record<string, keyof PatternCounts> = {
  cache_hits_total: 'hits',
  cache_miss_total: 'misses',
  cache_set_total: 'sets'
}

/** Parses the Prometheus text of `/metrics/prom`. */
export function parseCounts (text: string): ServerCounts {
  const counts: ServerCounts = { patterns: {}, candidates: {}, arms: { cached: none(), control: none() }, percent: 0 }
  for (const line of text.split('\n')) {
    const percent = PERCENT.exec(line)
    if (percent !== null) counts.percent = Number(percent[1])
    const [, name, labelText, value] = SAMPLE.exec(line) ?? []
    if (name === undefined || labelText === undefined) continue
    const labels = Object.fromEntries([...labelText.matchAll(LABEL)].map(([, label, content]) => [label, content]))
    const count = COUNTS[name]
    if (count !== undefined && labels.key_pattern !== undefined) {
      const pattern = counts.patterns[labels.key_pattern] ??= none()
      pattern[count] += Number(value)
      counts.arms[labels.impl === 'null' ? 'control' : 'cached'][count] += Number(value)
    } else if (name === 'cache_candidate_requests' && labels.method === 'GET' && labels.route !== undefined) {
      counts.candidates[labels.route] = (counts.candidates[labels.route] ?? 0) + Number(value)
    }
  }
  return counts
}

/** Returns the differences between two readings of the counts; unchanged counts are left out. */
export function countsBetween (before: ServerCounts, after: ServerCounts): ServerCounts {
  const armBetween = (arm: Arm): PatternCounts => minus(after.arms[arm], before.arms[arm])
  const between: ServerCounts = { patterns: {}, candidates: {}, arms: { cached: armBetween('cached'), control: armBetween('control') }, percent: after.percent }
  for (const [pattern, counts] of Object.entries(after.patterns)) {
    const moved = minus(counts, before.patterns[pattern] ?? none())
    if (moved.hits !== 0 || moved.misses !== 0 || moved.sets !== 0) between.patterns[pattern] = moved
  }
  for (const [route, count] of Object.entries(after.candidates)) {
    const moved = count - (before.candidates[route] ?? 0)
    if (moved !== 0) between.candidates[route] = moved
  }
  return between
}

function none (): PatternCounts {
  return { hits: 0, misses: 0, sets: 0 }
}

function minus (one: PatternCounts, other: PatternCounts): PatternCounts {
  return { hits: one.hits - other.hits, misses: one.misses - other.misses, sets: one.sets - other.sets }
}

/** Returns the sum over all key patterns. */
export function totalOf (patterns: Record<string, PatternCounts>): PatternCounts {
  const total = none()
  for (const { hits, misses, sets } of Object.values(patterns)) {
    total.hits += hits
    total.misses += misses
    total.sets += sets
  }
  return total
}

/** Reads the counts of a server; throws an error that describes the problem if the server returns none. */
export async function readCounts (url: string): Promise<ServerCounts> {
  let response: Response
  try {
    response = await fetch(new URL('/metrics/prom', url))
  } catch (error) {
    throw new Error(`No server answers at ${url}`, { cause: error })
  }
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}: replay needs a server with @x/cache-metrics`)
  return parseCounts(await response.text())
}
