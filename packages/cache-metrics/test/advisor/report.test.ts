import t from 'tap'
import { advise } from '../../src/advisor/report/advice.js'
import { gates, type GateVerdict } from '../../src/advisor/report/go-no-go-gates.js'
import { planFor } from '../../src/advisor/report/plan.js'
import { toMarkdown, verdictOfAdvice, verdictOfReport, type Report } from '../../src/advisor/report/report.js'
import { seenOf } from '../fixtures/observation.js'

const advice = advise([seenOf(), seenOf({ kind: 'route', name: 'GET /a|b', meanBytes: undefined, meanSeconds: 0.0001 }), seenOf({ name: 'report', cookieShare: 1 })])
const rows = gates({ seconds: 7200, source: 'a test', candidates: 5, edgeCandidates: 0, etagMatches: 0, requests: 10, routes: [], patterns: [] })
const report: Report = {
  version: 1,
  generatedAt: '2026-01-01T00:00:00.000Z',
  source: 'a test',
  observedSeconds: 7200,
  requests: 72_000,
  verdict: verdictOfReport(advice, rows),
  advice,
  gates: rows,
  plan: planFor(advice),
  notes: ['One note.']
}

t.test('toMarkdown: a table of patterns, one of routes, the gates, the plan, the notes', async (t) => {
  const text = toMarkdown(report)
  t.match(text, 'from a test: 72,000 requests in 2 h. Verdict: **not enough data** (advice: go, gates: not enough data).')
  t.match(text, '| Key Pattern | Access Freq | Avg Response Time | Est Hit Rate | TTL | Priority | Memory Est | Stale | Saves | Verdict |')
  t.match(text, '| item | 36,000/h | 10 ms | 70 % ± 1 | 1 min | HIGH | 630 KiB | 0 per 10 000 (≤ 30) | 4.2 min/h | good |')
  t.match(text, '| GET /a\\|b | 36,000/h | 100 µs | 70 % ± 1 | 1 min | LOW | 1,000 entries |')
  t.match(text, 'unsafe: Set-Cookie on 100 % of the responses')
  t.match(text, '| Edge hit rate | – | > 30 % go on, < 10 % stop | not enough data | `etag_match_total / cache_candidate_requests` | a test |')
  t.match(text, '## Plan')
  t.match(text, '- One note.')
  for (const line of text.split('\n').filter((line) => line.startsWith('|'))) t.match(line, / \|$/)
})

t.test('toMarkdown: below a table is what would change its verdicts, except what is good', async (t) => {
  const text = toMarkdown({ ...report, advice: advise([seenOf(), seenOf({ name: 'a|b', isNoise: true })]) })
  t.match(text, / \|\n\nWhat would change the verdicts:\n\n- a\\\|b: Values without the parts that differ on every load, such as a time or a random id\n\n## /)
  t.notMatch(text, '- item:')
  t.notMatch(toMarkdown({ ...report, advice: advise([seenOf()]) }), 'What would change')
})

t.test('toMarkdown: what there is nothing of has no heading', async (t) => {
  t.notMatch(toMarkdown({ ...report, advice: [], gates: [], plan: undefined, notes: [] }), '##')
})

t.test('verdictOfAdvice: go for what is good and worth it, no-go for what is not, else not enough data', async (t) => {
  const of = (...seen: Array<Parameters<typeof seenOf>[0]>) => verdictOfAdvice(advise(seen.map(seenOf)))
  t.equal(of({}), 'go')
  t.equal(of({ meanSeconds: 0 }), 'no-go')
  t.equal(of({ isNoise: true }, { cookieShare: 1 }), 'no-go')
  t.equal(of({ requests: 1 }), 'not enough data')
  t.equal(of(), 'not enough data')
})

t.test('verdictOfReport: go stands above gates that say go, and above no others', async (t) => {
  const demand = (verdict: GateVerdict) => rows.map((row) => row.name === 'Candidate volume' ? { ...row, verdict } : row)
  t.ok(rows.every(({ verdict }) => verdict === 'not enough data'))
  t.equal(verdictOfAdvice(advice), 'go')
  t.equal(verdictOfReport(advice, rows), 'not enough data')
  t.equal(verdictOfReport(advice, []), 'not enough data')
  t.equal(verdictOfReport(advice, demand('no-go')), 'no-go')
  t.equal(verdictOfReport(advice, demand('go')), 'go')
  t.equal(verdictOfReport(advise([seenOf({ isNoise: true })]), demand('go')), 'no-go', 'nothing is worth it')
  t.equal(verdictOfReport([], demand('go')), 'not enough data')
})

t.test('toMarkdown: staleness is unknown where no stale hit was seen and any number may be; what was seen is said', async (t) => {
  const cell = (rate: number, low: number, high: number) => {
    const text = toMarkdown({ ...report, advice: advise([seenOf({ staleness: [{ ttl: 60, hits: 10, rate, low, high }] })]) })
    return text.split('\n').find((line) => line.startsWith('| item'))!.split(' | ')[7]
  }
  t.equal(cell(0, 0, 1), 'unknown')
  t.equal(cell(0, 0, 0.9999), '0 per 10 000 (≤ 9999)')
  t.equal(cell(0.5, 0, 1), '5000 per 10 000 (≤ 10000)')
  t.equal(cell(1, 0.9, 1), '10000 per 10 000 (≤ 10000)', 'all were stale')
})
