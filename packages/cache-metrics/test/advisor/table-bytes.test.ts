import t from 'tap'
import { hashKey } from '../../src/advisor/hash.js'
import { RouteObservation } from '../../src/advisor/route-observation.js'

const MAX_BYTES = 100_000
const TAG_BYTES = 13_000

/** The tables of a key pattern after reads, values and dimensions of 50 000 keys, each with a number of tags. */
function observed (tags: number): RouteObservation {
  const observation = new RouteObservation('pattern', 'product', {})
  for (let turn = 0; turn < 60_000; turn++) {
    const id = turn * 7919 % 50_000
    const hash = hashKey(`product:${id}`)
    observation.noteRead(hash, 12, turn * 5)
    for (let at = 0; at < tags; at++) observation.curve.noteTag(hash, at, hashKey(`tag:${at}:${id}`))
    if (tags > 0 && turn % 10 === 0) observation.curve.noteInvalidation(hashKey(`tag:0:${id}`))
    if (observation.staleness.wants(hash)) observation.noteValue(hash, turn * 5, { hash: turn % 3, bytes: 10 })
    observation.leak.note(hash, turn / 200, turn % 5, { user: turn % 7, 'query sort': turn % 3, 'header accept-language': turn % 2 })
  }
  return observation
}

t.test('bytes: a key pattern with any number of keys takes at most 100 kB, and 13 kB more with a tag per entry', async (t) => {
  for (const tags of [0, 1]) {
    const { bytes, curve, staleness, leak } = observed(tags)
    const figures = `${tags} tags: ${bytes} bytes: curve ${curve.bytes}, staleness ${staleness.bytes}, leak ${leak.bytes}`
    t.comment(figures)
    t.ok(bytes <= MAX_BYTES + tags * TAG_BYTES, figures)
  }
})

t.test('bytes: 16 key patterns with four tags per entry and 16 routes take at most 8 MB', async (t) => {
  t.ok(16 * observed(4).bytes + 16 * observed(0).bytes <= 8 * 2 ** 20)
})
