import { Type, type Static } from 'typebox'
import type { Queryable } from '../database/open.js'
import { NotFound } from '../errors.js'

const Role = Type.Unsafe<'admin' | 'editor' | 'viewer'>({ type: 'string', enum: ['admin', 'editor', 'viewer'] })
const Level = Type.Unsafe<'read' | 'write' | 'approve'>({ type: 'string', enum: ['read', 'write', 'approve'] })

/** The part of a user that all users may read. */
export const User = Type.Object({ id: Type.Integer(), name: Type.String(), role: Role })
export type User = Static<typeof User>

/** The part of a user that only this user may read. */
export const Account = Type.Object({ id: Type.Integer(), name: Type.String(), role: Role, email: Type.String() })
export type Account = Static<typeof Account>

export const Permission = Type.Object({ tableId: Type.Integer(), level: Level })
export type Permission = Static<typeof Permission>

export const Profile = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  permissions: Type.Array(Permission),
  notifications: Type.Integer()
})
export type Profile = Static<typeof Profile>

/** Returns the public part of a user. Throws `APP_ERR_NOT_FOUND`. */
export async function findUser (database: Queryable, id: number): Promise<User> {
  return found(id, await database.query<User>('SELECT id, name, role FROM users WHERE id = $1', [id]))
}

export async function findAccount (database: Queryable, id: number): Promise<Account> {
  return found(id, await database.query<Account>('SELECT id, name, role, email FROM users WHERE id = $1', [id]))
}

export async function listPermissions (database: Queryable, userId: number): Promise<Permission[]> {
  await findUser(database, userId)
  const { rows } = await database.query<Permission>(
    'SELECT table_id AS "tableId", level FROM permissions WHERE user_id = $1 ORDER BY table_id', [userId])
  return rows
}

export async function findProfile (database: Queryable, id: number): Promise<Profile> {
  return found(id, await database.query<Profile>(`
    SELECT u.id, u.name,
      (SELECT count(*)::int FROM notifications n WHERE n.user_id = u.id) AS notifications,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('tableId', p.table_id, 'level', p.level) ORDER BY p.table_id), '[]')
       FROM permissions p WHERE p.user_id = u.id) AS permissions
    FROM users u WHERE u.id = $1`, [id]))
}

/** Whether the user may decide on changes of the table. */
export async function isApprover (database: Queryable, userId: number, tableId: number): Promise<boolean> {
  const { rows } = await database.query(
    "SELECT 1 FROM permissions WHERE user_id = $1 AND table_id = $2 AND level = 'approve'", [userId, tableId])
  return rows.length > 0
}

function found<T> (id: number, { rows: [row] }: { rows: T[] }): T {
  if (row === undefined) throw new NotFound('user', id)
  return row
}
