import { Type } from 'typebox'
import type { Database } from '../database/open.js'

/** The options that every group of routes is registered with. */
export interface RouteOptions { database: Database }

// The largest int of PostgreSQL: a greater one would be an error of the database.
const MAX_INT = 2_147_483_647

/** `/…/:id` */
export const IdParams = Type.Object({ id: Type.Integer({ minimum: 0, maximum: MAX_INT }) })

/** `?limit=…&offset=…` */
export const PageQuery = Type.Object({
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
  offset: Type.Integer({ minimum: 0, maximum: MAX_INT, default: 0 })
})
