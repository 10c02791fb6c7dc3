import t from 'tap'
import { errorsOf, leaksOf, SECRET } from '@x/test-kit/leaks'
import * as cliErrors from '../src/cli/errors.js'
import * as errors from '../src/errors.js'

for (const [name, error] of [...errorsOf(errors), ...errorsOf(cliErrors)]) {
  t.test(`${name}: shows nothing of its cause (${error.message.slice(0, 60)})`, async (t) => t.same(leaksOf(error, SECRET), []))
}
