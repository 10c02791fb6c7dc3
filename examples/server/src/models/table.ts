import { Type, type Static } from 'typebox'
import type { Queryable } from '../database/open.js'
import { NotFound } from '../errors.js'

export const Table = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  description: Type.String(),
  isPublic: Type.Boolean()
})
export type Table = Static<typeof Table>

/** A table with sums over its rows: the most expensive query of the app, which benefits most from a cache. */
export const TableSummary = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  recordCount: Type.Integer(),
  lastChange: Type.Union([Type.String(), Type.Null()])
})
export type TableSummary = Static<typeof TableSummary>

const COLUMNS = 'id, name, description, is_public AS "isPublic"'

export async function listTables (database: Queryable): Promise<Table[]> {
  return (await database.query<Table>(`SELECT ${COLUMNS} FROM tables ORDER BY id`)).rows
}

export async function listPublicTables (database: Queryable): Promise<Table[]> {
  return (await database.query<Table>(`SELECT ${COLUMNS} FROM tables WHERE is_public ORDER BY id`)).rows
}

/** Returns the table with an id. Throws `APP_ERR_NOT_FOUND` if there is no such table. */
export async function findTable (database: Queryable, id: number): Promise<Table> {
  const { rows: [table] } = await database.query<Table>(`SELECT ${COLUMNS} FROM tables WHERE id = $1`, [id])
  if (table === undefined) throw new NotFound('table', id)
  return table
}

/** Returns the public table with an id. Throws `APP_ERR_NOT_FOUND`, also for a table that is not public. */
export async function findPublicTable (database: Queryable, id: number): Promise<Table> {
  const table = await findTable(database, id)
  if (!table.isPublic) throw new NotFound('public table', id)
  return table
}

/** Returns the sums over the rows of a table. Throws `APP_ERR_NOT_FOUND`. */
export async function summarizeTable (database: Queryable, id: number): Promise<TableSummary> {
  const { rows: [summary] } = await database.query<TableSummary>(`
    SELECT t.id, t.name, count(r.id)::int AS "recordCount", max(r.updated_at) AS "lastChange"
    FROM tables t LEFT JOIN records r ON r.table_id = t.id
    WHERE t.id = $1 GROUP BY t.id`, [id])
  if (summary === undefined) throw new NotFound('table', id)
  return summary
}
