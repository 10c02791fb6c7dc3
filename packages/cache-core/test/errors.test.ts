import { errorType, isCacheError, type CacheError } from '@x/cache-core'
import { causeOf, keyInvalid, timeout, tooLarge, unavailable, valueInvalid } from '@x/cache-core/implementing'
import { OptionInvalid } from '@x/cache-core/suite'
import t from 'tap'
import * as errors from '../src/contract/errors.js'

type Fault = (...args: unknown[]) => CacheError

// The factories of errors that a Result may hold have names in lower case. Constructors of thrown errors begin with a capital; two
// functions that check errors are left out.
const faults = Object.entries(errors).filter(([name]) => /^[a-z]/.test(name) && name !== 'isCacheError' && name !== 'errorType') as [string, Fault][]

t.test('each fault: is an Error with a code of its own, which isCacheError knows', async (t) => {
  const codes = faults.map(([name, fault]) => {
    const error = fault('get', 'a', 'b')
    t.ok(error instanceof Error, name)
    t.ok(isCacheError(error), name)
    t.match(error.code, /^CACHE_ERR_[A-Z_]+$/)
    return error.code
  })
  t.ok(codes.length > 8)
  // Some codes have a second factory with a more precise message.
  t.same(codes.filter((code, at) => codes.indexOf(code) !== at), ['CACHE_ERR_AUTH', 'CACHE_ERR_UNAVAILABLE', 'CACHE_ERR_UNSUPPORTED'])
})

t.test('each fault: is cheap, without a stack of its own', async (t) => {
  for (const [name, fault] of faults) {
    const { stack } = fault('get', 'a', 'b')
    t.notMatch(stack ?? '', /\n\s+at /, name)
  }
})

t.test('a fault: keeps its cause, and says nothing of it', async (t) => {
  const cause = new Error('secret of the cause')
  const error = unavailable('get', { cause })
  t.equal(causeOf(error), cause)
  t.notMatch(error.message, /secret|object/)
  t.equal(causeOf(timeout('set', 50, { cause })), cause)
  t.match(timeout('set', 50, { cause }).message, /"set" within 50 ms/)
  t.equal(causeOf(unavailable('get')), undefined)
})

t.test('a fault: names what it was given, signs of a format and all', async (t) => {
  t.match(keyInvalid('100%s of %d').message, '100%s of %d')
  t.match(tooLarge(200, 100).message, /200 bytes: the limit is 100/)
})

t.test('isCacheError: knows nothing else', async (t) => {
  const alike = Object.assign(new Error('alike'), { code: 'CACHE_ERR_TIMEOUT' })
  t.equal(isCacheError(alike), true, 'the code decides, so that two copies of the package agree')
  for (const other of [new Error('plain'), Object.assign(new Error('other'), { code: 'ECONNREFUSED' }), { code: 'CACHE_ERR_TIMEOUT' }, null, undefined, 'x']) {
    t.equal(isCacheError(other), false)
  }
  t.equal(isCacheError(new OptionInvalid('a', 'b', 'c')), false, 'a programmer error is no Result')
})

t.test('errorType: the short form is the label', async (t) => {
  t.equal(errorType(tooLarge(1, 2)), 'too_large')
  t.equal(errorType(valueInvalid('x')), 'value_invalid')
})

t.test('OptionInvalid: names the option, what it got, and what is allowed', async (t) => {
  const error = new OptionInvalid('memory.maxBytes', '-1', 'a whole number')
  t.match(error, { code: 'CACHE_ERR_OPTION_INVALID', message: /"memory\.maxBytes".*-1.*a whole number/ })
  t.match(error.stack, /errors\.test/, 'it is thrown at a programmer, who wants to know where')
})
