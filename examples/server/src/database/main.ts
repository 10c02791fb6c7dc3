// Starts the database in a separate process, for several servers with DATABASE_HOST: npm run database -w examples/server
import closeWithGrace from 'close-with-grace'
import { EnvReader } from '@x/cache-core'
import { readDatabasePort } from '../env.js'
import { openDatabase } from './open.js'
import { serveDatabase } from './serve.js'

const reader = new EnvReader()
const host = reader.text('HOST') ?? '127.0.0.1'
const database = await openDatabase(reader.text('DATABASE_DIR'))
const server = await serveDatabase(database, { host, port: readDatabasePort(reader) })

const grace = closeWithGrace({ delay: 10_000 }, async function close () {
  await server.close()
  await database.close()
})
process.send?.({ url: `${host}:${server.port}` })
process.once('disconnect', () => { grace.close() })
console.log(`The database listens on ${host}:${server.port}`)
