import { Type } from 'typebox'
import type { Database } from '../database/open.js'

/** The options with which each group of routes is registered. */
export interface RouteOptions { database: Database }

// The largest `int` of PostgreSQL: a larger id would cause an error in the database.
const MAX_INT = 2_147_483_647

/** The schema of the path parameters in `/…/:id`. */
export const IdParams = Type.Object({ id: Type.Integer({ minimum: 0, maximum: MAX_INT }) })

/** The schema of the query `?limit=…&offset=…`. */
export const PageQuery = Type.Object({
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
  offset: Type.Integer({ minimum: 0, maximum: MAX_INT, default: 0 })
})
