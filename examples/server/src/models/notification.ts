import { Type, type Static } from 'typebox'
import type { Queryable } from '../database/open.js'
import { findUser } from './user.js'

export const Notification = Type.Object({ id: Type.Integer(), message: Type.String(), createdAt: Type.String() })
export type Notification = Static<typeof Notification>

/** Returns the latest 50 notifications of a user, newest first. Throws `APP_ERR_NOT_FOUND` if there is no such user. */
export async function listNotifications (database: Queryable, userId: number): Promise<Notification[]> {
  await findUser(database, userId)
  const { rows } = await database.query<Notification>(`
    SELECT id, message, created_at AS "createdAt" FROM notifications
    WHERE user_id = $1 ORDER BY id DESC LIMIT 50`, [userId])
  return rows
}

export async function notify (database: Queryable, userId: number, message: string): Promise<void> {
  await database.query('INSERT INTO notifications (user_id, message) VALUES ($1, $2)', [userId, message])
}
