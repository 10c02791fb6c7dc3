import { Type, type Static } from 'typebox'
import type { Queryable } from '../database/open.js'
import { NotFound } from '../errors.js'
import { findTable } from './table.js'

/** The value of one cell of a record. */
export type Cell = string | number | boolean | null

/** The fields of a record that a client may send: cells by the name of their column. */
export const Fields = Type.Unsafe<Record<string, Cell>>({
  type: 'object',
  // A single schema with four types instead of a union: for a union, Fastify's validator would convert 5 to "5", since text is the first
  // alternative of the union.
  additionalProperties: { type: ['string', 'number', 'boolean', 'null'], maxLength: 10_000 },
  minProperties: 1,
  maxProperties: 100
})
export type Fields = Static<typeof Fields>

export const Row = Type.Object({
  id: Type.Integer(),
  tableId: Type.Integer(),
  fields: Type.Unsafe<Record<string, Cell>>({ type: 'object', additionalProperties: true }),
  version: Type.Integer(),
  updatedAt: Type.String()
})
export type Row = Static<typeof Row>

const COLUMNS = 'id, table_id AS "tableId", fields, version, updated_at AS "updatedAt"'

export async function listRecords (database: Queryable, tableId: number, limit: number, offset: number): Promise<Row[]> {
  await findTable(database, tableId)
  const { rows } = await database.query<Row>(
    `SELECT ${COLUMNS} FROM records WHERE table_id = $1 ORDER BY id LIMIT $2 OFFSET $3`, [tableId, limit, offset])
  return rows
}

/** Returns the record with an id. Throws `APP_ERR_NOT_FOUND`. */
export async function findRecord (database: Queryable, id: number): Promise<Row> {
  return found(id, await database.query<Row>(`SELECT ${COLUMNS} FROM records WHERE id = $1`, [id]))
}

export async function createRecord (database: Queryable, tableId: number, fields: Fields): Promise<Row> {
  await findTable(database, tableId)
  const { rows } = await database.query<Row>(
    `INSERT INTO records (table_id, fields) VALUES ($1, $2) RETURNING ${COLUMNS}`, [tableId, fields])
  return rows[0]!
}

/** Changes the given cells of a record, and leaves the other cells unchanged. Throws `APP_ERR_NOT_FOUND`. */
export async function updateRecord (database: Queryable, id: number, fields: Fields): Promise<Row> {
  return found(id, await database.query<Row>(`
    UPDATE records SET fields = fields || $2::jsonb, version = version + 1, updated_at = now()
    WHERE id = $1 RETURNING ${COLUMNS}`, [id, fields]))
}

export async function deleteRecord (database: Queryable, id: number): Promise<Row> {
  return found(id, await database.query<Row>(`DELETE FROM records WHERE id = $1 RETURNING ${COLUMNS}`, [id]))
}

function found (id: number, { rows: [row] }: { rows: Row[] }): Row {
  if (row === undefined) throw new NotFound('record', id)
  return row
}
