import type { Database } from '../database/open.js'
import { seededRandom } from '../replay/zipf.js'
import type { SimulatedTime } from './simulated-time.js'

/** The duration of a query in normal operation, in milliseconds, like that of a database on another machine. */
export const USUAL_MS = 8

/**
 * The app's database with the delay of a database on another machine. A query takes `latencyMs` milliseconds at the median, and at most ten
 * times as long.
 */
export class Source {
  latencyMs = USUAL_MS
  /** The delayed database, which the app uses. */
  readonly database: Database

  constructor (database: Database, time: SimulatedTime) {
    const random = seededRandom(5)
    const query = async (...given: Parameters<Database['query']>): Promise<unknown> => {
      await time.sleep(this.latencyMs * 10 ** (2 * random() - 1) ** 3)
      return time.during(() => database.query(...given))
    }
    this.database = new Proxy(database, {
      get (target, name) {
        if (name === 'query') return query
        const member: unknown = Reflect.get(target, name)
        // Methods are bound to the original object, since PGlite has private members that a proxy cannot access.
        return typeof member === 'function' ? member.bind(target) : member
      }
    })
  }
}
