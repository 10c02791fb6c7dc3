import t from 'tap'
import { errorsOf, leaksOf, SECRET } from '../../cache-core/test/fixtures/leaks.js'
import * as errors from '../src/errors.js'

for (const [name, error] of errorsOf(errors)) {
  t.test(`${name}: shows nothing of its cause (${error.message.slice(0, 60)})`, async (t) => t.same(leaksOf(error, SECRET), []))
}
