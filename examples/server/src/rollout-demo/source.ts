import type { Database } from '../database/open.js'
import { seededRandom } from '../replay/zipf.js'
import type { SimulatedTime } from './simulated-time.js'

/** Milliseconds of a query while nothing is wrong: those of a database on another machine. */
export const USUAL_MS = 8

/** The app's database as if it were on another machine: a query takes `latencyMs` milliseconds at the median, and ten times that at worst. */
export class Source {
  latencyMs = USUAL_MS
  /** The database to build the app with. */
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
        // PGlite has private members, which a method finds only on the object itself.
        return typeof member === 'function' ? member.bind(target) : member
      }
    })
  }
}
