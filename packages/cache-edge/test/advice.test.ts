import fc from 'fast-check'
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import { isStorable } from '../../cache-metrics/src/advisor/storable-response.js'
import { whyNotStored } from '../src/exchange/judge-response.js'
import { toPolicy } from '../src/rules/policy.js'

type Headers = Record<string, string | string[]>

const directive = fc.constantFrom(
  'public', 'private', 'private="x-user"', 'PRIVATE', 'no-store', 'no-cache', 'max-age=0', 'max-age=60', 's-maxage=10', 'must-revalidate', 'proxy-revalidate', 'must-understand',
  'immutable', 'stale-while-revalidate=30', 'stale-if-error=30', 'x-private=1', 'ext="no-store"', 'x="'
)
const directives = fc.array(directive, { maxLength: 4 }).map((list) => list.join(', '))
const maybe = <T>(value: fc.Arbitrary<T>) => fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })
const responseHeaders = fc.record({
  'cache-control': maybe(fc.oneof(directives, fc.array(directives, { maxLength: 2 }))),
  'cdn-cache-control': maybe(directives),
  'surrogate-control': maybe(directives),
  expires: maybe(fc.constantFrom('0', 'Thu, 01 Jan 2099 00:00:00 GMT')),
  vary: maybe(fc.constantFrom('*', 'Accept-Language', 'accept-encoding, Accept-Language', 'Cookie', 'Authorization', 'X-Api-Key', 'no name')),
  'set-cookie': maybe(fc.constantFrom<string | string[]>('a=1', ['a=1', 'b=2'], [])),
  'content-encoding': maybe(fc.constantFrom('gzip', 'identity')),
  'content-range': maybe(fc.constant('bytes 0-1/2'))
}).map(present)
const requestHeaders = fc.record({
  authorization: maybe(fc.constantFrom('', 'Bearer x')),
  'cache-control': maybe(fc.constantFrom('no-store', 'no-cache', 'max-age=0')),
  'accept-language': maybe(fc.constant('fr'))
}).map(present)
const status = fc.oneof({ weight: 2, arbitrary: fc.constant(200) }, { weight: 1, arbitrary: fc.integer({ min: 200, max: 599 }) })
const method = fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS')

function present (headers: Record<string, string | string[] | undefined>): Headers {
  return Object.fromEntries(Object.entries(headers).filter((field): field is [string, string | string[]] => field[1] !== undefined))
}

/** Returns those names of a `Vary` that the policy of a route may declare; names of credential headers are not allowed. */
function declarable (vary: unknown): string[] {
  return vary === 'Accept-Language' ? ['accept-language'] : vary === 'accept-encoding, Accept-Language' ? ['accept-encoding', 'accept-language'] : []
}

t.test('advice: says of no method, status and headers that a response may be stored which the cache refuses to store, nor the other way round', async (t) => {
  let stored = 0
  let refused = 0
  fc.assert(fc.property(method, status, requestHeaders, responseHeaders, (method, status, asked, headers) => {
    const request = { method, headers: asked, raw: { method, headers: asked } } as unknown as FastifyRequest
    const policy = toPolicy('GET /', { store: true, vary: declarable(headers.vary) })
    // For a conditional request the advisor sees the 304, and the cache the 200 of the handler, so the status 200 is compared.
    const answered = status === 304 ? 200 : status
    const isStored = whyNotStored(request, { status: answered, headers }, policy) === undefined
    if (isStored) stored++
    else refused++
    return isStorable(status, request, { getHeaders: () => headers } as unknown as FastifyReply) === isStored
  }), { numRuns: 3000 })
  t.ok(stored > 30 && refused > 30, `${stored} stored, ${refused} not`)
})
