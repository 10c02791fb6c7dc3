// The cost of a canary that only measures, in its baseline.
// Rival: the same app at percent 0 without a canary. Wanted: at most 1.02 of the server's CPU time per request, with one getOrSet.
import { join } from 'node:path'
import { comparePairs } from './compare/pairs.js'
import { rows } from './compare/rows/canary.js'
import { report } from './measure.js'

const root = join(import.meta.dirname, '..')
const [name, row] = Object.entries(rows)[0]
const { middle, low, high, pairs, isResolved } = await comparePairs(
  { file: 'canary', name, ...row }, [{ name: 'with', root }, { name: 'without', root }], (build) => ({ canary: build.name === 'with' })
)
report('server CPU time per request with an idle canary, against the same app without', [
  ['ratio', `${middle.toFixed(3)} (${low.toFixed(3)}–${high.toFixed(3)}, ${pairs} pairs)${isResolved ? '' : ', not resolved'}`, `at most ${row.atMost}`]
])
