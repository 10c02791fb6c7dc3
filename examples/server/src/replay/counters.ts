/** What a server has counted of the keys of one pattern. */
export interface PatternCounts { hits: number; misses: number; sets: number }

/** What a server has counted. */
export interface ServerCounts {
  /** By key pattern, over all implementations. */
  patterns: Record<string, PatternCounts>
  /** GET requests that the edge may answer, by the route's pattern. */
  candidates: Record<string, number>
}

/** What a server counted during a replay, summed up. */
export interface Counted extends ServerCounts { total: PatternCounts; candidatesTotal: number }

const SAMPLE = /^(\w+)\{(.*)\} (\S+)/
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g
const COUNTS: Record<string, keyof PatternCounts> = {
  cache_hits_total: 'hits',
  cache_miss_total: 'misses',
  cache_set_total: 'sets'
}

/** Reads the Prometheus text of `/metrics/prom`. */
export function parseCounts (text: string): ServerCounts {
  const counts: ServerCounts = { patterns: {}, candidates: {} }
  for (const line of text.split('\n')) {
    const [, name, labelText, value] = SAMPLE.exec(line) ?? []
    if (name === undefined || labelText === undefined) continue
    const labels = Object.fromEntries([...labelText.matchAll(LABEL)].map(([, label, content]) => [label, content]))
    const count = COUNTS[name]
    if (count !== undefined && labels.key_pattern !== undefined) {
      const pattern = counts.patterns[labels.key_pattern] ??= { hits: 0, misses: 0, sets: 0 }
      pattern[count] += Number(value)
    } else if (name === 'cache_candidate_requests' && labels.method === 'GET' && labels.route !== undefined) {
      counts.candidates[labels.route] = (counts.candidates[labels.route] ?? 0) + Number(value)
    }
  }
  return counts
}

/** What was counted between two readings; what did not move is left out. */
export function countsBetween (before: ServerCounts, after: ServerCounts): ServerCounts {
  const between: ServerCounts = { patterns: {}, candidates: {} }
  for (const [pattern, { hits, misses, sets }] of Object.entries(after.patterns)) {
    const was = before.patterns[pattern] ?? { hits: 0, misses: 0, sets: 0 }
    const moved = { hits: hits - was.hits, misses: misses - was.misses, sets: sets - was.sets }
    if (moved.hits !== 0 || moved.misses !== 0 || moved.sets !== 0) between.patterns[pattern] = moved
  }
  for (const [route, count] of Object.entries(after.candidates)) {
    const moved = count - (before.candidates[route] ?? 0)
    if (moved !== 0) between.candidates[route] = moved
  }
  return between
}

/** The sum over all patterns. */
export function totalOf (patterns: Record<string, PatternCounts>): PatternCounts {
  const total = { hits: 0, misses: 0, sets: 0 }
  for (const { hits, misses, sets } of Object.values(patterns)) {
    total.hits += hits
    total.misses += misses
    total.sets += sets
  }
  return total
}

/** Asks a server for its counts; throws a sentence if it has none. */
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
