import fc from 'fast-check'
import t from 'tap'
import { notStored, type NotStoredReason, type StorageRule } from '../src/http/storability.js'
import { anyCharacter } from '@x/test-kit/texts'

type Headers = Record<string, string | string[] | undefined>
interface Exchange {
  method?: string
  hasBody?: boolean
  request?: Headers
  status?: number
  /** Response headers in addition to `Cache-Control: max-age=60`. */
  response?: Headers
  rule?: Partial<StorageRule>
}

function reasonOf ({ method = 'GET', hasBody = false, request = {}, status = 200, response = {}, rule = {} }: Exchange): NotStoredReason | undefined {
  return notStored({ method, hasBody, headers: request }, { status, headers: { 'cache-control': 'max-age=60', ...response } }, {
    sameForAll: false, statuses: new Set([200, 404]), hasPolicyLifetime: false, keyed: new Set(['accept-encoding', 'accept-language']), ...rule
  })
}

const cacheControl = (value: string | string[] | undefined) => ({ response: { 'cache-control': value } })
const bearer = { authorization: 'Bearer x' }
const all = new Set(Array.from({ length: 500 }, (_, index) => index + 100))

const cases: Array<[section: string, exchange: Exchange, reason: NotStoredReason | undefined]> = [
  ['RFC 9111 §3 a GET with max-age', {}, undefined],
  ['RFC 9111 §3 a HEAD', { method: 'HEAD' }, undefined],
  ['RFC 9111 §3 a POST', { method: 'POST' }, 'method'],
  ['RFC 9110 §9.1 a method in lower case', { method: 'get' }, 'method'],
  ['EDGE §6 a GET with a body', { hasBody: true }, 'request-body'],
  ['RFC 9111 §5.2.1.5 request no-store', { request: { 'cache-control': 'No-Store' } }, 'request-no-store'],
  ['RFC 9111 §5.2.1.4 request no-cache does not forbid it', { request: { 'cache-control': 'no-cache' } }, undefined],
  ['RFC 9111 §3 a listed error', { status: 404 }, undefined],
  ['EDGE §6 an error that is not listed', { status: 500 }, 'status'],
  ['RFC 9111 §3.3 a part', { status: 206, rule: { statuses: all } }, 'partial'],
  ['RFC 9111 §3.3 a part that calls itself 200', { response: { 'content-range': 'bytes 0-1/2' } }, 'partial'],
  ['RFC 9110 §14.2 Range that was answered 206', { request: { range: 'bytes=0-1' }, status: 206 }, 'partial'],
  ['RFC 9110 §14.2 Range that was ignored', { request: { range: 'bytes=0-1' } }, undefined],
  ...[304, 400, 413, 414, 431].map((status): [string, Exchange, NotStoredReason] => [`EDGE §6 ${status}, even listed`, { status, rule: { statuses: all } }, 'status']),
  ['RFC 9111 §5.2.2.3 must-understand, and it is', { ...cacheControl('must-understand, max-age=1') }, undefined],
  ['RFC 9111 §5.2.2.3 must-understand, and it is not', { ...cacheControl('must-understand, max-age=1'), status: 299, rule: { statuses: all } }, 'must-understand'],
  ['RFC 9111 §5.2.2.3 must-understand does not lift no-store', cacheControl('must-understand, no-store, max-age=1'), 'no-store'],
  ['RFC 9111 §5.2.2.5 no-store', cacheControl('max-age=60, no-store'), 'no-store'],
  ['EDGE §6 what is no list of directives', cacheControl('max-age=60, x="'), 'no-store'],
  ['RFC 9111 §5.2.2.7 private', cacheControl('private, max-age=60'), 'private'],
  ['EDGE §6 private=""', cacheControl('max-age=60, private=""'), 'private'],
  ['EDGE §6 private twice', cacheControl('private, private="x", max-age=60'), 'private'],
  ['EDGE §6 PRIVATE in another line', cacheControl(['max-age=60', 'PRIVATE="x, y"']), 'private'],
  ['RFC 9111 §5.2.2.4 no-cache does not forbid it', cacheControl('no-cache, max-age=60'), undefined],
  ['RFC 9111 §7.3 Set-Cookie', { response: { 'set-cookie': ['a=1'] } }, 'set-cookie'],
  ['RFC 9111 §7.3 Set-Cookie, even public', { response: { 'set-cookie': 'a=1', 'cache-control': 'public, max-age=60' } }, 'set-cookie'],
  ['RFC 9111 §7.3 no line of Set-Cookie', { response: { 'set-cookie': [] } }, undefined],
  ['RFC 9111 §4.1 Vary: *', { response: { vary: '*' } }, 'vary'],
  ['RFC 9111 §4.1 Vary: *, foo', { response: { vary: '*, accept-encoding' } }, 'vary'],
  ['RFC 9111 §4.1 Vary with what is keyed', { response: { vary: 'Accept-Encoding, Accept-Language' } }, undefined],
  ['EDGE §6 Vary: Cookie', { response: { vary: 'accept-encoding, Cookie' } }, 'vary'],
  ['EDGE §6 Vary that cannot be read', { response: { vary: 'accept encoding' } }, 'vary'],
  ['EDGE §3 a coding without Vary', { response: { 'content-encoding': 'gzip' } }, 'content-encoding'],
  ['EDGE §3 a coding with Vary', { response: { 'content-encoding': 'gzip', vary: 'Accept-Encoding' } }, undefined],
  ['EDGE §3 a coding with another Vary', { response: { 'content-encoding': 'br', vary: 'Accept-Language' } }, 'content-encoding'],
  ['EDGE §3 a coding with a Vary that is not keyed', { response: { 'content-encoding': 'br', vary: 'Accept-Encoding' }, rule: { keyed: new Set() } }, 'vary'],
  ['RFC 9842 §6.2 dcb without Available-Dictionary in Vary', { response: { 'content-encoding': 'dcb', vary: 'Accept-Encoding' } }, 'content-encoding'],
  ['RFC 9842 §6.2 dcz behind another coding', { response: { 'content-encoding': 'gzip, DCZ', vary: 'Accept-Encoding' } }, 'content-encoding'],
  ['RFC 9842 §6.2 dcz with both', { response: { 'content-encoding': 'dcz', vary: 'Accept-Encoding, Available-Dictionary' }, rule: { keyed: new Set(['accept-encoding', 'available-dictionary']) } }, undefined],
  ['RFC 9842 §6.2 dcz with a dictionary that is not keyed', { response: { 'content-encoding': 'dcz', vary: 'Accept-Encoding, Available-Dictionary' }, rule: { keyed: new Set(['accept-encoding']) } }, 'vary'],
  ['RFC 9110 §8.4 identity is no coding', { response: { 'content-encoding': 'Identity' } }, undefined],
  ['RFC 9111 §3.5 Authorization', { request: bearer }, 'authorization'],
  ['RFC 9111 §3.5 empty Authorization', { request: { authorization: '' } }, 'authorization'],
  ['RFC 9111 §3.5 Authorization and public alone', { request: bearer, ...cacheControl('public, max-age=60') }, 'authorization'],
  ['RFC 9111 §3.5 Authorization and the rule alone', { request: bearer, rule: { sameForAll: true } }, 'authorization'],
  ...['public, max-age=1', 's-maxage=1', 'must-revalidate, max-age=1'].map((value): [string, Exchange, undefined] =>
    [`RFC 9111 §3.5 Authorization, the rule and ${value}`, { request: bearer, rule: { sameForAll: true }, ...cacheControl(value) }, undefined]),
  ['RFC 9111 §3.5 Authorization and proxy-revalidate', { request: bearer, rule: { sameForAll: true }, ...cacheControl('proxy-revalidate, max-age=1') }, 'authorization'],
  ['RFC 9111 §3 no lifetime', cacheControl(undefined), 'no-lifetime'],
  ['RFC 9111 §3 the lifetime of the policy', { ...cacheControl(undefined), rule: { hasPolicyLifetime: true } }, undefined],
  ['RFC 9111 §3 Expires', { response: { 'cache-control': undefined, expires: '0' } }, undefined],
  ['RFC 9111 §3 public without a lifetime', cacheControl('public'), undefined],
  ['RFC 9213 §2.2 no-store for others only', { response: { 'cache-control': 'no-store', 'cdn-cache-control': 'max-age=60' } }, undefined],
  ['RFC 9213 §2.2 no-store for us only', { response: { 'cdn-cache-control': 'no-store' } }, 'no-store'],
  ['RFC 9213 §2.1 private with fields', { response: { 'cdn-cache-control': 'max-age=60, private="x"' } }, 'private'],
  ['RFC 9213 §2.2 no-store in what is no dictionary is ignored', { response: { 'cdn-cache-control': 'no-store,' } }, undefined],
  ['RFC 9213 §2.2 lifetimes of Cache-Control and Expires do not count', { response: { expires: '0', 'cdn-cache-control': 'must-revalidate' } }, 'no-lifetime'],
  ['RFC 9213 §2.1 public=?1 is public', { response: { 'cdn-cache-control': 'public=?1' } }, undefined],
  ['RFC 9213 §2.1 public=?0 is not', { response: { 'cdn-cache-control': 'public=?0' } }, 'no-lifetime']
]

for (const [section, exchange, reason] of cases) {
  t.test(`notStored: ${section}: ${reason ?? 'may be stored'}`, async (t) => t.equal(reasonOf(exchange), reason))
}

t.test('notStored: nothing else in the fields outweighs a cookie, private, or credentials', async () => {
  const value = fc.option(fc.oneof(fc.string({ unit: anyCharacter }), fc.constantFrom('public', 's-maxage=1', 'public, max-age=60', 'accept-encoding')), { nil: undefined })
  const headers = fc.record({ 'cache-control': value, 'cdn-cache-control': value, vary: value, expires: value, age: value, 'content-encoding': value })
  fc.assert(fc.property(headers, fc.integer({ min: 100, max: 599 }), (response, status) => {
    const rule = { hasPolicyLifetime: true, statuses: all }
    const isPrivate = { 'cache-control': `${response['cache-control'] ?? ''},private="x"`, 'cdn-cache-control': undefined }
    const isQuoted = response['cache-control']?.includes('"') ?? false
    return reasonOf({ status, rule, response: { ...response, 'set-cookie': 'a=1' } }) !== undefined &&
      reasonOf({ status, rule, response, request: bearer }) !== undefined &&
      (isQuoted || reasonOf({ status, rule, response: { ...response, ...isPrivate } }) !== undefined)
  }), { numRuns: 300 })
})
