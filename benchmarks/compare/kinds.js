// Compares the CPU time per request of two kinds of one app, both from this working tree. They are measured in pairs of turns as in
// `compare.js`, each kind in processes of its own.
import { join } from 'node:path'
import { report } from '../measure.js'
import { comparePairs } from './pairs.js'

const root = join(import.meta.dirname, '../..')

/** Returns the only row in a file of `rows/`, with the name of the file and of the row. */
async function rowOf (file) {
  const [[name, row]] = Object.entries((await import(`./rows/${file}.js`)).rows)
  return { file, name, ...row }
}

/**
 * Formats a ratio as `0.943 (0.931–0.952, 30 pairs)`, or as `not resolved` with the interval. The median decides whether the limit `atMost`
 * is met.
 */
function showRatio ({ middle, low, high, pairs, isResolved }, atMost) {
  const interval = Number.isFinite(high) ? `${low.toFixed(3)}–${high.toFixed(3)}, ${pairs} pairs` : `${pairs} pairs`
  if (!isResolved) return `not resolved (${interval})`
  const verdict = atMost === undefined ? '' : middle <= atMost ? ', met' : ', NOT MET'
  return `${middle.toFixed(3)} (${interval})${verdict}`
}

/**
 * Measures pairs `{ title, one, other, atMost }` of kinds of an app and prints a table. `file` names the row in `rows/` that measures an
 * app; `one` and `other` are the contexts that its `start` and `client` receive.
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
