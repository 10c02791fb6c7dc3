import t from 'tap'
import { Page } from '../src/metrics/page.js'

t.test('toBuffer: has all metrics in UTF-8, with a blank line between two', async (t) => {
  const page = new Page()
  await page.add(['a\n', 'ü'])
  await page.add(new Set(['b']))
  t.equal(page.toBuffer().toString(), 'a\nü\n\nb\n')
})

t.test('add: lets the event loop go on between long slices', async (t) => {
  let turns = 0
  const count = (): void => {
    turns++
    timer = setImmediate(count)
  }
  let timer = setImmediate(count)
  const page = new Page()
  await page.add(Array.from({ length: 10 }, () => 'x'.repeat(20_000)))
  clearImmediate(timer)
  t.ok(turns >= 9, `${turns} turns`)
  t.equal(page.toBuffer().length, 200_001)
})
