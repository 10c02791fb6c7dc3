import t from 'tap'
import { runConsoleScripts } from './fixtures/console-scripts.js'

const { formats: { percent, count, percentage } } = runConsoleScripts('formats.js')
const plain = (text: string) => text.replaceAll('\u00a0', ' ')

t.test('percent: has two significant digits below 10', async (t) => {
  for (const [share, text] of [[0.0006, '0.06 %'], [0.0004, '0.04 %'], [0.000_123, '0.012 %'], [0.0453, '4.5 %'], [0.0999, '10 %'], [0, '0 %']] as const) t.equal(plain(percent(share)), text)
})

t.test('percent: is whole from 10 to 99', async (t) => {
  for (const [share, text] of [[0.1, '10 %'], [0.333, '33 %'], [0.985, '99 %'], [1, '100 %'], [1.8, '180 %']] as const) t.equal(plain(percent(share)), text)
})

t.test('percent: is not 100 for less than 1, and not 0 for more than 0', async (t) => {
  for (const [share, text] of [[0.996, '99.6 %'], [0.999, '99.9 %'], [0.999_96, '99.996 %'], [0.999_999, '> 99.999 %'], [1e-9, '< 0.001 %']] as const) t.equal(plain(percent(share)), text)
  for (let at = 0; at < 16; at += 0.05) {
    const rest = 10 ** -at
    if (1 - rest === 1) break
    t.not(plain(percent(1 - rest)), '100 %', String(1 - rest))
    t.not(plain(percent(rest)), '0 %', String(rest))
  }
})

t.test('percentage: a percent that was set keeps its fractions, and is not 100 for less', async (t) => {
  for (const [value, text] of [[0, '0 %'], [0.0996, '0.0996 %'], [6.25, '6.25 %'], [12.5, '12.5 %'], [50, '50 %'], [99.97, '99.97 %'], [100, '100 %']] as const) t.equal(plain(percentage(value)), text)
})

t.test('count: has two significant digits below 10', async (t) => {
  for (const [value, text] of [[0.04, '0.04'], [0.0312, '0.031'], [1.234, '1.2'], [0, '0'], [7, '7'], [12.34, '12.3'], [1234.5, '1,235']] as const) t.equal(count(value), text)
})
