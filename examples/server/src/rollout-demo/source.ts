import type { Database } from '../database/open.js'
import { seededRandom } from '../replay/zipf.js'
import type { SimulatedTime } from './simulated-time.js'

/** Milliseconds of a query in normal operation, as with a database on another machine. */
export const USUAL_MS = 8

/**
 * The app's database with the delay of a database on another machine: a query takes `latencyMs` milliseconds at the median, and at most ten
 * times that.
 */
export class Source {
  latencyMs = USUAL_MS
  /** The delayed database, with which the app is built. */
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
        // Methods are bound to the original object: PGlite has private members, which a proxy does not have.
        return typeof member === 'function' ? member.bind(target) : member
      }
    })
  }
}
