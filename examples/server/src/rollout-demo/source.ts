import type { Database } from '../database/open.js'
import type { SimulatedTime } from './simulated-time.js'

/** Milliseconds of a query while nothing is wrong: those of a database on another machine. */
export const USUAL_MS = 8

/** The app's database as if it were on another machine: a query takes `latencyMs` milliseconds. */
export class Source {
  latencyMs = USUAL_MS
  /** The database to build the app with. */
  readonly database: Database

  constructor (database: Database, time: SimulatedTime) {
    const query = async (...given: Parameters<Database['query']>): Promise<unknown> => {
      await time.sleep(this.latencyMs)
      return time.during(() => database.query(...given))
    }
    this.database = new Proxy(database, {
      get (target, name) {
        if (name === 'query') return query
        const member: unknown = Reflect.get(target, name)
        // PGlite has private members, which a method finds only on the object itself.
        return typeof member === 'function' ? member.bind(target) : member
      }
    })
  }
}
