import { createHash } from 'node:crypto'

/**
 * Which server, in which life and with which history, answered: a restart changes `run_id`, a failover `master_replid`.
 * `undefined` for a replica. What was stored under another fence may have been kept by a server that forgot an
 * acknowledged invalidation.
 */
export function fenceOf (info: string): { runId: string; fence: string } | undefined {
  const runId = field(info, 'run_id')
  const replicationId = field(info, 'master_replid')
  if (runId === undefined || replicationId === undefined || field(info, 'role') !== 'master') return undefined
  return { runId, fence: createHash('sha1').update(`${runId}:${replicationId}`).digest('base64url').slice(0, 8) }
}

/** The fields that `fenceOf` needs and INFO lacks, as from some proxies and relatives of Redis. */
export function missingFields (info: string): string[] {
  return ['run_id', 'master_replid', 'role'].filter((name) => field(info, name) === undefined)
}

function field (info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
}
