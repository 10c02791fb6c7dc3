import { guardInternal, type Core } from '@x/cache-core/suite'
import type { FastifyInstance } from 'fastify'
import { EndpointTaken } from '../errors.js'
import { CostLedger } from '../ledger/cost-ledger.js'
import { kOwnRoute } from '../traffic/routes.js'
import type { Traffic } from '../traffic/traffic.js'
import { wantsMarkdown } from './accept.js'
import { Advisor, type AdvisorSettings } from './advisor.js'
import { toMarkdown } from './report/report.js'

/** The path of the advisor's report. */
const ADVICE_PATH = '/internal/cache/advice'
/** The scripts of the console that show the report, in the package beside `src` and `dist`. */
const CONSOLE_SCRIPTS = ['advice.js', 'ledger.js'].map((name) => new URL(`../../console/${name}`, import.meta.url))

/**
 * Adds the advisor and the route of its report. The report is Markdown for a client that prefers Markdown, else JSON. The route is open
 * wherever `/internal/cache` is open.
 */
export function addAdvisor (fastify: FastifyInstance, core: Core, traffic: Traffic, settings: AdvisorSettings): Advisor {
  const advisor = new Advisor(core, traffic, settings)
  // The advisor observes only where its report can be read.
  fastify.addHook('onReady', async function startAdvisor () { if (core.access().isOpen) advisor.start() })
  fastify.addHook('onClose', async function closeAdvisor () { advisor.close() })
  core.console.add(...CONSOLE_SCRIPTS)
  const url = `${fastify.prefix}${ADVICE_PATH}`
  if (fastify.hasRoute({ method: 'GET', url })) throw new EndpointTaken(url)
  fastify.get(ADVICE_PATH, {
    onRequest: guardInternal(() => core.access()),
    schema: { hide: true } as object,
    config: { [kOwnRoute]: true } as object
  }, async function showAdvice (request, reply) {
    const report = { ...advisor.report(), ledger: CostLedger.of(core.registry).report() }
    // The numbers of the report change with each request, so no cache should store the report.
    reply.header('cache-control', 'no-store').header('vary', 'accept')
    return wantsMarkdown(request.headers.accept) ? reply.type('text/markdown; charset=utf-8').send(toMarkdown(report)) : report
  })
  return advisor
}
