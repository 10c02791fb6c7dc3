import { createHash } from 'node:crypto'

/**
 * Which server, in which life and with which history, answered: a restart changes `run_id`, a failover `master_replid`.
 * `undefined` for a replica. What was stored under another fence may have been kept by a server that forgot an
 * acknowledged invalidation.
 */
export function fenceOf (info: string): { runId: string; fence: string } | undefined {
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  const runId = field('run_id')
  const replicationId = field('master_replid')
  if (runId === undefined || replicationId === undefined || field('role') !== 'master') return undefined
  return { runId, fence: createHash('sha1').update(`${runId}:${replicationId}`).digest('base64url').slice(0, 8) }
}
