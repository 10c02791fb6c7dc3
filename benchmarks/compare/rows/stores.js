// Rows (operations to measure) of `table.js` and `growth.js`: calls on one cache of `stores/`. Context: `store`, `isTagged` for two tags,
// `lanes` for the calls in flight, and the options of the store.
import { ours } from '../stores/ours.js'
import { rivals } from '../stores/rivals.js'
import { user } from './redis-app.js'

const KEYS = Array.from({ length: 1000 }, (_, id) => `user:${id}`)
const TAGS = ['users', 'team:7']
const neverLoad = () => { throw new Error('no hit') }

async function runLanes (lanes, calls, call) {
  let next = 0
  await Promise.all(Array.from({ length: lanes }, async () => {
    while (next < calls) await call(next++)
  }))
}

/** Makes a row of one call; `call` receives the store and a key. */
const row = (call) => ({
  figure: 'cpu',
  async start (load, { store: name, isTagged = false, lanes = 1, ...options }) {
    const store = await ({ ...ours, ...rivals })[name](load, options)
    const keys = KEYS.map((key) => isTagged ? `tagged:${key}` : key)
    for (const [id, key] of keys.entries()) await store.set(key, user(id), isTagged ? TAGS : undefined)
    await store.ready?.(keys)
    return { run: (calls) => runLanes(lanes, calls, (i) => call(store, keys[i % keys.length])) }
  }
})

export const rows = {
  get: row((store, key) => store.get(key)),
  getOrSet: row((store, key) => store.getOrSet(key, neverLoad)),
  set: row((store, key) => store.set(key, user(7)))
}
