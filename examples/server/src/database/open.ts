import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PGlite, types } from '@electric-sql/pglite'
import { dataDir as preparedFiles } from '@electric-sql/pglite-prepopulatedfs'
import { SCHEMA } from './schema.js'
import { SEED } from './seed.js'

/** An object that accepts queries: the database, or a transaction on it. */
export interface Queryable {
  query<T> (sql: string, parameters?: unknown[]): Promise<{ rows: T[] }>
}

/** PostgreSQL inside this process, or in the process of `serveDatabase`. The caller that opens the database closes it. */
export interface Database extends Queryable {
  transaction<T> (work: (transaction: Queryable) => Promise<T>): Promise<T>
  close (): Promise<void>
}

// Timestamps are parsed to texts, not to Dates: cached values are JSON, so a hit would return a text where a miss returns a Date.
const parsers = { [types.TIMESTAMPTZ]: (value: string) => new Date(value).toISOString() }

/** Opens the database, and makes its tables and rows if they are missing. Without a directory the database is in memory. */
export async function openDatabase (directory?: string): Promise<PGlite> {
  const database = directory === undefined ? await openPrepared() : await openDirectory(directory)
  await fill(database)
  return database
}

/** Unpacks a prepared empty database, which takes a fifth of the time of creating one. */
async function openPrepared (dataDir?: string): Promise<PGlite> {
  return PGlite.create({ ...dataDir === undefined ? {} : { dataDir }, loadDataDir: await preparedFiles(), parsers })
}

async function openDirectory (dataDir: string): Promise<PGlite> {
  if (!existsSync(join(dataDir, 'PG_VERSION'))) {
    // The files are unpacked beside the directory and then moved, so that an interrupted start leaves no incomplete database.
    const draft = `${dataDir}.unpacking`
    await rm(draft, { recursive: true, force: true })
    await mkdir(draft, { recursive: true })
    await (await openPrepared(draft)).close()
    await rename(draft, dataDir)
  }
  return PGlite.create({ dataDir, parsers })
}

// Tables and rows are made in one transaction, so that an interrupted start leaves no incomplete database.
async function fill (database: PGlite): Promise<void> {
  await database.transaction(async (transaction) => {
    const { rows } = await transaction.query<{ filled: boolean }>("SELECT to_regclass('users') IS NOT NULL AS filled")
    if (rows[0]?.filled !== true) await transaction.exec(SCHEMA + SEED)
  })
}
