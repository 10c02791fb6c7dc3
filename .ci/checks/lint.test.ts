import t from 'tap'
import { npmRun, runScript } from './run-script.js'

await runScript('lint: the code keeps the style, awaits its promises, and has no import cycle', 'lint')

t.test('lint: a promise of another package that is not awaited is reported', async (t) => {
  const { status, output } = await npmRun('lint:types', ['.ci/checks/fixtures/floating-promise.ts'])
  t.equal(status, 1, output)
  t.match(output, /floating-promise\.ts:5:3.*no-floating-promises|floating-promise\.ts:5:3: Promises must be awaited/)
})
