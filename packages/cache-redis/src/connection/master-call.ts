import type { Redis } from 'ioredis'
import type { Connection } from './connection.js'
import type { Node } from './node.js'

/**
 * A reply, and the master that sent it. `serverId`: the identity of that master before the command; an empty text if the identity of a
 * single server is not known.
 */
export interface MasterReply<T> { readonly value: T; readonly node: Node; readonly serverId: string }

/** The options of `callMaster`. */
export interface MasterCallOptions<P> {
  /** Selects the connection to the master for the command. Default: the master's data connection. */
  readonly connectionOf?: (node: Node) => Redis
  /**
   * Computes an argument of the command from the master's identity; it is called again for each further master. If it rejects, the call
   * ends.
   */
  readonly prepare?: (serverId: string) => Promise<P>
}

/** The maximum number of redirections that one call of a master follows; two redirections are usual while a Cluster slot moves. */
const MAX_REDIRECTIONS = 8
/** The maximum number of times that one call searches for the master; each search includes the client's own retries. */
const MAX_SEARCHES = 2

/**
 * Runs one command on the connection of the master that has the key, and returns the master that answered. MOVED and ASK are
 * followed here, since the client does not report which server answered. `send` must send exactly one command before it awaits
 * anything, because ASKING covers only the next command. Rejects with the error of the server or the connection.
 */
export async function callMaster<T, P = undefined> (
  connection: Connection, key: string, send: (redis: Redis, serverId: string, prepared: P) => Promise<T>, options: MasterCallOptions<P> = {}
): Promise<MasterReply<T>> {
  let node = connection.owner(key)
  let isAsking = false
  let redirections = 0
  let searches = 0
  for (;;) {
    let failure: unknown
    // A single server gets the command even if its identity is not known. If it refuses the command, its error names the reason, and makes
    // the client leave a replica.
    const serverId = node?.serverId ?? await node?.identify() ?? (connection.isCluster ? undefined : '')
    const prepared = (serverId === undefined || options.prepare === undefined ? undefined : await options.prepare(serverId)) as P
    try {
      if (node === undefined || serverId === undefined) throw new Error('no master is known for the key')
      const redis = options.connectionOf?.(node) ?? node.redis
      if (isAsking) {
        redis.asking().catch(() => {
          // A failure of ASKING is ignored: the command itself then fails for the same reason.
        })
      }
      // After a pause of the heartbeats, INFO is sent before the command: the server may have become a replica, which may lack an
      // invalidation. The command is sent again if the identity has changed.
      const proof = node.prove()
      const value = await send(redis, serverId, prepared)
      await proof
      if (proof !== undefined && node.serverId !== serverId) continue
      return { value, node, serverId }
    } catch (error) {
      failure = error
    }
    if (!connection.isCluster) throw failure
    const redirection = parseRedirection(failure)
    if (redirection === undefined && !isTemporary(failure)) throw failure
    if (redirection?.isMoved === true) connection.refreshSlots()
    const target = redirection === undefined ? undefined : connection.nodeAt(redirection.address)
    if (target !== undefined) {
      if (++redirections > MAX_REDIRECTIONS) throw failure
      node = target
      isAsking = redirection?.isMoved === false
      continue
    }
    // No connection to the master is known: a PTTL command makes the client follow redirections and failovers, so that it connects to the
    // new servers.
    if (++searches > MAX_SEARCHES) throw failure
    await connection.client.pttl(key)
    node = connection.owner(key)
    isAsking = false
  }
}

/** Returns the target address of a MOVED or ASK reply; `undefined` for other errors. */
export function parseRedirection (error: unknown): { readonly isMoved: boolean; readonly address: string } | undefined {
  if (!(error instanceof Error)) return undefined
  const [kind, , address] = error.message.split(' ')
  return (kind === 'MOVED' || kind === 'ASK') && address !== undefined ? { isMoved: kind === 'MOVED', address } : undefined
}

/** Whether another attempt may find a master: the connection failed, or the Cluster is not ready for the command. */
function isTemporary (error: unknown): boolean {
  return error instanceof Error && (error.name !== 'ReplyError' || /^(CLUSTERDOWN|TRYAGAIN|LOADING|MASTERDOWN|READONLY)/.test(error.message))
}
