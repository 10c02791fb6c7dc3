import { createHash } from 'node:crypto'

/**
 * The identity of the server that sent an INFO reply; `undefined` for a replica. The identity changes with a restart (`run_id`) and a
 * failover (`master_replid`). A server with another identity may have lost an acknowledged invalidation.
 */
export function serverIdentityOf (info: string): { runId: string; serverId: string } | undefined {
  const runId = field(info, 'run_id')
  const replicationId = field(info, 'master_replid')
  if (runId === undefined || replicationId === undefined || field(info, 'role') !== 'master') return undefined
  return { runId, serverId: createHash('sha1').update(`${runId}:${replicationId}`).digest('base64url').slice(0, 8) }
}

/** Returns the fields that `serverIdentityOf` needs and an INFO reply lacks. Some proxies and compatible servers send such replies. */
export function missingFields (info: string): string[] {
  return ['run_id', 'master_replid', 'role'].filter((name) => field(info, name) === undefined)
}

function field (info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
}
