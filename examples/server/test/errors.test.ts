import t from 'tap'
import { NotFound, toPublicError } from '../src/errors.js'

t.test('toPublicError: a coded error of the client is told as it is', async (t) => {
  t.same(toPublicError(new NotFound('record', 7)), {
    statusCode: 404, code: 'APP_ERR_NOT_FOUND', error: 'Not Found', message: 'There is no record 7'
  })
})

t.test('toPublicError: of a 5xx only the status is told', async (t) => {
  const hidden = { statusCode: 500, code: 'APP_ERR_INTERNAL', error: 'Internal Server Error', message: 'Internal Server Error' }
  t.same(toPublicError(new Error('password is swordfish')), hidden)
  t.same(toPublicError(Object.assign(new Error('secret'), { code: 'ECONNREFUSED' })), hidden)
  t.match(toPublicError(Object.assign(new Error('secret'), { code: 'X', statusCode: 504 })), {
    statusCode: 504, code: 'APP_ERR_INTERNAL', message: 'Gateway Timeout'
  })
})

t.test('toPublicError: an error with a status that is none counts as 500', async (t) => {
  t.equal(toPublicError(Object.assign(new Error('odd'), { statusCode: 200 })).statusCode, 500)
})

t.test('toPublicError: what no column can hold is the mistake of the client', async (t) => {
  t.match(toPublicError(Object.assign(new Error('details'), { code: '22P05' })), { statusCode: 400, code: 'APP_ERR_INPUT' })
})
