import { formatCount as n } from '../text.js'
import type { Arm, Counted } from './counters.js'
import type { LoadReport } from './load.js'
import type { LruSimulation } from './lru.js'

/** One statement about the counted numbers of a replay, and whether it is true. */
export interface Check { ok: boolean; claim: string }

/**
 * Compares the requests that were sent with those that the server counted and, if `lru` is given, the server's hits with those of an exact
 * LRU cache.
 */
export function checkCounts (load: LoadReport, { total, candidatesTotal, arms, percent }: Counted, lru: LruSimulation | undefined): Check[] {
  const looked = total.hits + total.misses
  const broken = Object.entries(load.statuses).filter(([status]) => status === 'failed' || status >= '500')
  const checks = [
    broken.length === 0
      ? { ok: true, claim: 'every request was answered, none with 5xx' }
      : { ok: false, claim: `answered with 5xx or not at all: ${broken.map(([status, count]) => `${n(count)} × ${status}`).join(', ')}` },
    same(`sent ${n(load.sent)}`, load.sent, `counted hits + misses ${n(looked)}`, looked),
    same(`sent ${n(load.sent)}`, load.sent, `counted candidates ${n(candidatesTotal)}`, candidatesTotal)
  ]
  if (percent > 0 && percent < 100) {
    const requests = (arm: Arm): number => arms[arm].hits + arms[arm].misses
    const claim = `at ${percent} % both arms had requests: cached ${n(requests('cached'))}, control ${n(requests('control'))}`
    checks.push(requests('cached') > 0 && requests('control') > 0 ? { ok: true, claim } : { ok: false, claim: `${claim}; --users N spreads them over N users` })
    // The check only works if the server has the default `salt` and subject, since other users would be in its arms otherwise.
    for (const [arm, { sent }] of Object.entries(load.groups) as Array<[Arm, { sent: number }]>) {
      checks.push(same(`sent by users who are ${arm} ${n(sent)}`, sent, `counted there ${n(requests(arm))}`, requests(arm)))
    }
  }
  if (lru !== undefined) {
    checks.push(same(`counted hits ${n(total.hits)}`, total.hits, `hits of an exact LRU of ${n(lru.maxEntries)} entries ${n(lru.hits)}`, lru.hits))
  }
  return checks
}

function same (left: string, a: number, right: string, b: number): Check {
  return a === b ? { ok: true, claim: `${left} = ${right}` } : { ok: false, claim: `${left} ≠ ${right}, they differ by ${n(Math.abs(a - b))}` }
}
