import t from 'tap'
import { ledgerRows, ledgerText, type LedgerNumbers } from '../../src/advisor/report/ledger.js'

function numbersOf (numbers: Partial<LedgerNumbers> = {}): LedgerNumbers {
  return {
    impl: 'redis',
    keyPattern: 'user',
    reads: 1000,
    hits: 800,
    stores: 200,
    savedSeconds: 40,
    meanLoadSeconds: 0.05,
    cost: { read: 1, store: 0.6, remove: 0.2, refresh: 0.2, serialize: 0.1 },
    savedBytes: 80_000,
    storedBytes: 20_000,
    heldBytes: 2048,
    ...numbers
  }
}

/** The numbers of a pattern whose loads are cheaper than its reads of the cache. */
const CHEAP = { keyPattern: 'flag', savedSeconds: 0.08, meanLoadSeconds: 0.0001 }

t.test('ledgerRows: what was saved minus what the cache took', async (t) => {
  const [row] = ledgerRows([numbersOf()])
  t.match(row, { costSeconds: 2, netSeconds: 38, verdict: 'saves' })
  t.equal(row!.text, 'user saves 38 s: 800 hits of 1,000 reads saved 40 s of loading; the cache took 2 s (reads 1 s, stores 600 ms with 100 ms of serialising, removals 200 ms, refreshes 200 ms); it holds 2 KiB. It pays from 8 % hits on, and has 80 %')
})

t.test('ledgerRows: a pattern that loses is named with its numbers, and comes first', async (t) => {
  const rows = ledgerRows([numbersOf(), numbersOf(CHEAP), numbersOf({ keyPattern: 'new', reads: 50, hits: 0 }), numbersOf({ keyPattern: 'more', savedSeconds: 90 })])
  t.same(rows.map(({ keyPattern, verdict }) => [keyPattern, verdict]), [['flag', 'loses'], ['more', 'saves'], ['user', 'saves'], ['new', 'not enough data']])
  t.match(rows[0]!.text, /^flag loses 1\.9 s: 800 hits of 1,000 reads saved 80 ms of loading; .*\. No hit rate pays: a read of the cache takes 1 ms, a load 100 µs$/)
})

t.test('ledgerRows: the hit rate from which a pattern pays makes it neither save nor lose', async (t) => {
  const load = 0.01
  const { breakEvenHitRate } = ledgerRows([numbersOf({ meanLoadSeconds: load, savedSeconds: 800 * load })])[0]!
  const misses = 1000 * (1 - breakEvenHitRate!)
  // The cost of a store is 0.003 s per miss, or 0.6 s for 200 misses.
  const cost = { read: 1, store: misses * 0.003, remove: 0.2, refresh: 0.2, serialize: 0 }
  const at = numbersOf({ hits: 1000 - misses, meanLoadSeconds: load, savedSeconds: (1000 - misses) * load, cost })
  t.ok(Math.abs(ledgerRows([at])[0]!.netSeconds!) < 1e-9)
})

t.test('ledgerRows: the verdict and the hit rate from which it pays agree, also if loads have become faster or slower', async (t) => {
  for (const savedSeconds of [0.5, 1.9, 2.1, 60]) {
    for (const hits of [800, 1000]) {
      const [row] = ledgerRows([numbersOf({ savedSeconds, hits })])
      t.equal(row!.verdict, row!.breakEvenHitRate! > hits / 1000 ? 'loses' : 'saves', row!.text)
    }
  }
})

t.test('ledgerRows: without a load the saving is not known, and no verdict is given', async (t) => {
  const [row] = ledgerRows([numbersOf({ savedSeconds: undefined, meanLoadSeconds: undefined })])
  t.match(row, { netSeconds: undefined, breakEvenHitRate: undefined, verdict: 'not enough data', text: /no load succeeded/ })
})

t.test('ledgerRows: loads that take no time leave no hit rate that pays, and its number is none rather than Infinity', async (t) => {
  const cost = { read: 1, store: 0, remove: 0, refresh: 0, serialize: 0 }
  const [row] = ledgerRows([numbersOf({ savedSeconds: 0, meanLoadSeconds: 0, cost })])
  t.match(row, { verdict: 'loses', text: /\. No hit rate pays: a read of the cache takes 1 ms, a load 0/ })
  t.equal(row!.breakEvenHitRate, undefined)
})

t.test('ledgerRows: no division by nothing', async (t) => {
  const free = { read: 0, store: 0, remove: 0, refresh: 0, serialize: 0 }
  for (const none of [{ reads: 0, hits: 0 }, { reads: 1000, hits: 1000 }, { cost: free }]) {
    for (const value of Object.values(ledgerRows([numbersOf(none)])[0]!)) t.not(value, NaN)
  }
})

t.test('ledgerText: a sentence for each pattern that loses, and a table of all, with names as text', async (t) => {
  const text = ledgerText({ seconds: 3600, rows: ledgerRows([numbersOf(), numbersOf({ ...CHEAP, keyPattern: '<b>|x' })]) }).join('\n')
  t.match(text, /^## Cost ledger\n.*in 1 h of this process\.\n- \\<b>\\\|x loses 1\.9 s: /)
  t.match(text, /\| user \| redis \| 1,000 \| 80 % \| 40 s \| 2 s \| 100 ms \| 38 s \| 78 KiB \| 2 KiB \| saves \|/)
  t.match(text, /\| −1\.9 s \|/)
  t.same(ledgerText({ seconds: 1, rows: [] }), [])
})
