import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'

export function makeUsers (findUser: (id: string) => Promise<{ name: string }>) {
  const bento = new BentoCache({ default: 'main', stores: { main: bentostore().useL1Layer(memoryDriver({ maxItems: 1000 })) } })
  const users = bento.namespace('user')
  return {
    get: (id: string) => users.getOrSet({ key: id, factory: () => findUser(id), ttl: '1m', grace: '5m', timeout: 0, tags: [id] }),
    // no caller waits longer than 200 ms while there is an old value
    getSoon: (id: string) => users.getOrSet({ key: id, factory: () => findUser(id), ttl: '1m', grace: '5m', timeout: 200, tags: [id] }),
    outdated: (id: string) => users.expire({ key: id }),
    changed: (id: string) => users.deleteByTag({ tags: [id] }),
    clear: () => users.clear()
  }
}
