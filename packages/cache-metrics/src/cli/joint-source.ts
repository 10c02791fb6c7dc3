import { jointParts } from '../advisor/accesses/joint.js'
import { parseState } from '../advisor/accesses/state-text.js'
import type { AdviceState } from '../advisor/accesses/advice-state.js'
import { foreign } from '../advisor/keeping/packed-state.js'
import { reportOf } from '../advisor/report/assemble.js'
import type { Report } from '../advisor/report/report.js'
import { AdvisorError } from './errors.js'
import { ask, hintFor, pageOf, shown, type Server } from './server.js'

/** The path of the sampled accesses, below the address of an app. */
const ACCESSES_PATH = '/internal/cache/advice/accesses'

/**
 * Makes one report on several apps or processes. The hit rates are those of one cache that they share, computed from the accesses that each
 * has recorded. The tolerated share of stale hits, the ttls and the cache sizes are those of the first app.
 * @throws `CACHE_ERR_ADVISOR` if an app sends no accesses, or accesses that cannot be merged with those of the first app
 */
export async function reportOfApps (servers: readonly Server[], timeoutMs: number): Promise<Report> {
  const states = await Promise.all(servers.map((server) => stateOf(server, timeoutMs)))
  const first = states[0]!
  for (const [at, state] of states.entries()) {
    const reason = foreign(state, first)
    if (reason !== undefined) throw new AdvisorError(`The accesses of ${shown(servers[at]!.url)} cannot be merged with those of ${shown(servers[0]!.url)}: ${reason}; both need the same option advisor.salt and advisor.entries`)
  }
  for (const [at, { origin }] of states.entries()) {
    const same = states.findIndex((state) => state.origin === origin)
    if (same !== at) throw new AdvisorError(`${shown(servers[same]!.url)} and ${shown(servers[at]!.url)} are the same process: give the address of each process, not that of a load balancer`)
  }
  const parts = await jointParts(states, first.wishes.staleTolerance)
  return reportOf({
    ...parts,
    source: `${states.length} apps`,
    notes: [`Hit rates are those of ${states.length} processes together, from the accesses that each has recorded.`]
  }, first.wishes)
}

async function stateOf (server: Server, timeoutMs: number): Promise<AdviceState> {
  const page = pageOf(server, ACCESSES_PATH)
  const { status, json } = await ask(page, server, timeoutMs)
  if ((json as { code?: unknown } | undefined)?.code === 'CACHE_ERR_ADVICE_NOT_RECORDED') {
    throw new AdvisorError(`${shown(page)} has no accesses: give the apps the same secret with option advisor.salt or CACHE_ADVICE_SALT, and time to observe`)
  }
  if (status !== 200) throw new AdvisorError(`${shown(page)} answers ${status}${hintFor(status, 'is @x/cache-metrics of this release registered, and is the page exposed')}`)
  const state = parseState(json)
  if (typeof state === 'string') throw new AdvisorError(`${shown(page)} answers, but not with accesses that can be merged: ${state}`)
  return state
}
