import t from 'tap'
import type { Database } from '../src/database/open.js'
import { tellStory } from '../src/rollout-demo/story.js'

// The time of the story is simulated, but its work takes up to a minute on an idle processor.
t.setTimeout(900_000)

/** A table in memory that answers the two SQL statements of the story. */
function tableInMemory (): Database {
  const stocks = new Map<unknown, unknown>()
  const query = async (sql: string, [id, change]: unknown[] = []) => {
    if (sql.includes('UPDATE')) stocks.set(id, (change as { stock: unknown }).stock)
    return { rows: [{ id, tableId: 1, fields: { stock: stocks.get(id) ?? 0 }, version: 1, updatedAt: '2026-01-01T00:00:00.000Z' }] }
  }
  return { query } as unknown as Database
}

t.test('rollout:demo: the canary climbs, steps back from a slow cache alone, and shadow reads find what is stale', async (t) => {
  const lines: string[] = []
  const { decisions, observed, wrong, failed } = await tellStory({ database: tableInMemory(), limitMs: 600_000, say: (line) => lines.push(line) })
  const text = lines.join('\n')
  t.match(observed.advice[0], { kind: 'pattern', name: 'record', verdict: 'good' })
  const moves = decisions.filter(({ from, to }) => from !== to)
  t.same(moves.map(({ from, to, by }) => `${by}: ${from} to ${to}`), [
    'canary: 0 to 10', 'canary: 10 to 50', 'canary: 50 to 100', 'canary: 100 to 50', 'canary: 50 to 100', 'operator: 100 to 0'
  ], text)
  for (const { reason } of [...moves.slice(0, 3), moves[4]!]) t.match(reason, /^all \d+ criteria hold: .*/)
  t.match(moves[3]!.reason, /the odds to be slower than the control arm's p\d\d in the cached arm/)
  t.match(wrong.shadow, [{ keyPattern: 'record', verdict: 'no-go', stalePaths: ['stock'] }].map(({ stalePaths: _, ...rest }) => rest))
  t.match(text, /stale rate 0 %[\s\S]*3\. The canary raises[\s\S]*user \d+ reads -?\d+[\s\S]*kill switch[\s\S]*percent 0; .*stock -1, user \d+ reads -1/)
  t.equal(failed, 0)
})
