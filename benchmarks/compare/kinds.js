// CPU time of two kinds of one app, of this tree, per request: pairs of turns as in `compare`, each kind in processes of its own.
import { join } from 'node:path'
import { report } from '../measure.js'
import { comparePairs } from './pairs.js'

const root = join(import.meta.dirname, '../..')

/** The file, the name and the content of the only row of a file of `rows/`. */
async function rowOf (file) {
  const [[name, row]] = Object.entries((await import(`./rows/${file}.js`)).rows)
  return { file, name, ...row }
}

/** `0.943 (0.931–0.952, 30 pairs)`, or `not resolved` with the interval. The estimate decides whether `atMost` is met. */
function showRatio ({ middle, low, high, pairs, isResolved }, atMost) {
  const interval = Number.isFinite(high) ? `${low.toFixed(3)}–${high.toFixed(3)}, ${pairs} pairs` : `${pairs} pairs`
  if (!isResolved) return `not resolved (${interval})`
  const verdict = atMost === undefined ? '' : middle <= atMost ? ', met' : ', NOT MET'
  return `${middle.toFixed(3)} (${interval})${verdict}`
}

/**
 * Measures pairs `{ title, one, other, atMost }` of kinds of the app in a file of `rows/`, and prints a table. `one` and `other` are contexts:
 * what the row's `start` and `client` receive.
 */
export async function compareKinds (file, title, rows) {
  const row = await rowOf(file)
  const lines = []
  for (const { title: name, one, other, atMost = row.atMost } of rows) {
    const ratio = await comparePairs(row, [{ name: 'one', root, kind: one }, { name: 'other', root, kind: other }], ({ kind }) => kind)
    lines.push([name, showRatio(ratio, atMost), atMost === undefined ? undefined : `at most ${atMost}`])
  }
  report(title, lines)
}
