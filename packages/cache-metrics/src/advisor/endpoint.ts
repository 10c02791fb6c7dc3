import { fieldText, guardInternal, mergeVary, type Core } from '@x/cache-core/suite'
import type { FastifyInstance, RouteHandlerMethod } from 'fastify'
import { AccessesNotRecorded, EndpointTaken } from '../errors.js'
import { CostLedger } from '../ledger/cost-ledger.js'
import { ADVISOR_DEFAULTS } from '../options.js'
import { kOwnRoute } from '../traffic/routes.js'
import type { Traffic } from '../traffic/traffic.js'
import { stateText } from './accesses/state-text.js'
import { wantsMarkdown } from './accept.js'
import { Advisor } from './advisor.js'
import type { AdvisorSettings } from './app-reports.js'
import { DEFAULT_ENTRIES } from './curve/curve-options.js'
import { AdviceKeeper } from './keeping/advice-keeper.js'
import { FileStore } from './keeping/file-store.js'
import { toMarkdown } from './report/report.js'
import { SharedReport } from './shared-report.js'

/** The path of the advisor's report. */
const ADVICE_PATH = '/internal/cache/advice'
/** The scripts with which the console shows the report; they are in the package, beside `src` and `dist`. */
const CONSOLE_SCRIPTS = ['advice.js', 'ledger.js'].map((name) => new URL(`../../console/${name}`, import.meta.url))
/** The path at which an app returns its sampled accesses, which `cache-advisor` merges with those of other processes. */
const ACCESSES_PATH = `${ADVICE_PATH}/accesses`

const OPENS = '{ expose: true, guard } of register(cacheCore) opens it behind a hook of the app\'s own'
const BEHIND_CLOSED_DOORS = `Cache advisor: observes; its report ${ADVICE_PATH} is closed, its estimates are the metric cache_advised_hit_rate; ${OPENS}`
const NOT_OBSERVING = `Cache advisor: does not observe, since its report ${ADVICE_PATH} is closed; ${OPENS}, and advisor: { production: true } of register(cacheMetrics) observes without it`

/**
 * Adds the advisor, the route of its report and that of its sampled accesses. The report is Markdown for a client that prefers Markdown, else
 * JSON. The routes are open wherever `/internal/cache` is open.
 */
export function addAdvisor (fastify: FastifyInstance, core: Core, traffic: Traffic, settings: AdvisorSettings): Advisor {
  const advisor = new Advisor(core, traffic, settings)
  core.console.add(...CONSOLE_SCRIPTS)
  const { production = ADVISOR_DEFAULTS.production } = settings
  let keeper: AdviceKeeper | undefined
  const reports = new SharedReport(() => core.registry.clock, async () => {
    const others = await keeper?.others() ?? []
    return { report: await advisor.report(others), isReusable: others.length > 0 }
  })
  fastify.addHook('onReady', async function startAdvisor () {
    const { isOpen } = core.access()
    if (!isOpen) fastify.log.info(production ? BEHIND_CLOSED_DOORS : NOT_OBSERVING)
    if (!isOpen && !production) return
    keeper = keeperOf(fastify, core, advisor, settings)
    core.advice.leave = () => keeper!.close()
    await keeper.start()
  })
  fastify.addHook('onClose', async function closeAdvisor () {
    await keeper?.close()
    advisor.close()
  })
  addRoute(fastify, core, ADVICE_PATH, async function showAdvice (request, reply) {
    const report = { ...await reports.get(), ledger: CostLedger.of(core.registry).report() }
    reply.header('vary', mergeVary(fieldText(reply.getHeaders(), 'vary'), ['Accept']))
    return wantsMarkdown(request.headers.accept) ? reply.type('text/markdown; charset=utf-8').send(toMarkdown(report)) : report
  })
  addRoute(fastify, core, ACCESSES_PATH, async function showAccesses (_request, reply) {
    const state = advisor.state()
    if (state === undefined) throw new AccessesNotRecorded()
    return reply.type('application/json; charset=utf-8').send(stateText(state))
  })
  return advisor
}

function addRoute (fastify: FastifyInstance, core: Core, path: string, handler: RouteHandlerMethod): void {
  const url = `${fastify.prefix}${path}`
  if (fastify.hasRoute({ method: 'GET', url })) throw new EndpointTaken(url)
  fastify.get(path, {
    onRequest: [guardInternal(() => core.access()), async function refuseStores (_request, reply) {
      // The numbers change with each request, so no cache should store the response.
      reply.header('cache-control', 'no-store')
    }],
    schema: { hide: true } as object,
    config: { [kOwnRoute]: true } as object
  }, handler)
}

function keeperOf (fastify: FastifyInstance, core: Core, advisor: Advisor, settings: AdvisorSettings): AdviceKeeper {
  const { keep = ADVISOR_DEFAULTS.keep, salt, entries = DEFAULT_ENTRIES } = settings
  const file = typeof keep === 'string' ? new FileStore(keep) : undefined
  return new AdviceKeeper({
    store: keep === false ? undefined : core.advice.store ?? file,
    salt,
    entries,
    warn: (message) => fastify.log.warn(message),
    observe: (secret, earlier) => advisor.start(secret, earlier),
    state: () => advisor.state()
  })
}
