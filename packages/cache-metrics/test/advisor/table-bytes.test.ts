import t from 'tap'
import { hashKey } from '../../src/advisor/hash.js'
import { Subjects } from '../../src/advisor/subjects.js'
import { RouteObservation } from '../../src/advisor/route-observation.js'

const MAX_BYTES = 100_000
/** The bytes that a second tag of each entry adds; the first tag is included in the maximum. */
const TAG_BYTES = 7000

/** Returns the tables of a key pattern after reads, values and dimensions of 50 000 keys, each with a number of tags. */
function observed (tags: number): RouteObservation {
  const observation = new RouteObservation('pattern', 'product', {})
  for (let turn = 0; turn < 60_000; turn++) {
    const id = turn * 7919 % 50_000
    const hash = hashKey(`product:${id}`)
    observation.noteRead(hash, 12, turn * 5)
    for (let at = 0; at < tags; at++) observation.noteTag(hash, at, hashKey(`tag:${at}:${id}`))
    if (tags > 0 && turn % 10 === 0) observation.noteInvalidation(hashKey(`tag:0:${id}`), turn * 5)
    if (observation.staleness.wants(hash)) observation.noteValue(hash, turn * 5, { hash: turn % 3, bytes: 10 })
    observation.leak.note(hash, turn / 200, turn % 5, { user: turn % 7, 'query sort': turn % 3, 'header accept-language': turn % 2 })
  }
  return observation
}

t.test('bytes: a key pattern with any number of keys takes at most 100 kB, also with a tag per entry, and 7 kB more for each further tag', async (t) => {
  for (const tags of [0, 1, 2, 4]) {
    const { bytes, curve, staleness, leak } = observed(tags)
    const figures = `${tags} tags: ${bytes} bytes: curve ${curve.bytes}, staleness ${staleness.bytes}, leak ${leak.bytes}`
    t.comment(figures)
    t.ok(bytes <= MAX_BYTES + Math.max(0, tags - 1) * TAG_BYTES, figures)
  }
})

t.test('bytes: 16 key patterns with four tags per entry and 16 routes take at most 8 MB, with the records of all accesses', async (t) => {
  const subjects = new Subjects({}, 0)
  for (let at = 0; at < 16; at++) for (const kind of ['pattern', 'route'] as const) subjects.of(kind, `${kind}${at}`, 0)
  for (let access = 0; access < 40_000; access++) for (const each of subjects.all) each.noteRead(hashKey(`${access}`), 5, access)
  const curves = subjects.all.reduce((sum, { curve }) => sum + curve.bytes, 0)
  const rest = subjects.all.reduce((sum, { staleness, leak }) => sum + staleness.bytes + leak.bytes, 0)
  const records = subjects.bytes - curves - rest
  const all = 16 * observed(4).bytes + 16 * observed(0).bytes + records
  t.comment(`${records} bytes of records, ${all} bytes in all`)
  t.ok(records > 1_000_000 && records <= 2 * 2 ** 20, String(records))
  t.ok(all <= 8 * 2 ** 20, String(all))
})
