// An app with one route that reads one user from a map or from PostgreSQL: without the suite, with it, or with its advisor as well. `start`
// returns the port.
import { PGlite } from '@electric-sql/pglite'
import Fastify from 'fastify'
import { cacheCore } from '@x/cache-core'
import { cacheMetrics } from '@x/cache-metrics'

const USERS = 10_000

/**
 * Starts the app.
 * @param kind `without`, `with` or `advised`
 * @param source `map` or `PostgreSQL`
 */
export async function start (kind, source) {
  const app = Fastify()
  const load = source === 'map' ? fromMap() : await fromPostgres()

  if (kind !== 'without') {
    await app.register(cacheCore)
    await app.register(cacheMetrics, { advisor: kind === 'advised' })
    app.get('/users/:id', (request) => {
      const { id } = request.params
      return request.cache.getOrSet(`user:${id}`, () => load(id), { ttl: 60 })
    })
  } else {
    app.get('/users/:id', (request) => load(request.params.id))
  }

  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server.address().port
}

function fromMap () {
  const users = new Map(Array.from({ length: USERS }, (_, at) => [String(at + 1), { id: String(at + 1), name: 'Ada', roles: ['admin', 'editor'] }]))
  return async (id) => users.get(id)
}

async function fromPostgres () {
  const db = await PGlite.create()
  await db.exec(`create table users (id text primary key, name text, roles jsonb); insert into users select n, 'Ada', '["admin", "editor"]' from generate_series(1, ${USERS}) n`)
  return async (id) => (await db.query('select id, name, roles from users where id = $1', [id])).rows[0]
}
