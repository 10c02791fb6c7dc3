import { REDIS_PORT } from './redis-port.js'
import type { Cluster, Redis } from 'ioredis'

/** The method of a Cluster that maps an announced address; the method throws for a text that is no address. */
interface Mapping { natMapper?: (announced: unknown) => { host?: string; port?: number } }

/** The form of an address that a server announces: a host name or an IP address, and a port. */
const ADDRESS = /^[\w.:%[\]-]*:(\d{1,5})$/

/** Whether an announced address has a form with a port, so that a client can connect to it. */
export function isAddress (announced: unknown): boolean {
  const port = typeof announced === 'string' ? Number(ADDRESS.exec(announced)?.[1]) : (announced as { port?: unknown } | null | undefined)?.port
  return Number.isInteger(port) && port as number >= 1 && port as number <= 65_535
}

/**
 * Replaces an invalid address, in a redirection or the slot table, by a known node. ioredis (6.0.0) parses addresses in the handler of
 * a socket, where a throw ends the process.
 */
export function guardRedirections (cluster: Cluster): void {
  const mapping = cluster as unknown as Mapping
  const { natMapper } = mapping
  if (natMapper === undefined || Object.hasOwn(mapping, 'natMapper')) return
  mapping.natMapper = (announced) => {
    if (isAddress(announced)) return natMapper.call(cluster, announced)
    // A closed Cluster client knows no node. It gets the default address, to which it does not connect.
    const { host = '127.0.0.1', port = REDIS_PORT } = cluster.nodes('all')[0]?.options ?? {}
    return { host, port }
  }
}

/**
 * Handles the rejections of ASKING on a node. ioredis (6.0.0) sends ASKING after an ASK redirection and ignores the promise; if
 * the node cannot be reached, the rejection would end the process. The command after ASKING fails for the same reason.
 */
export function guardAsking (redis: Redis): void {
  const { asking } = redis
  if (asking === undefined || Object.hasOwn(redis, 'asking')) return
  Object.defineProperty(redis, 'asking', {
    configurable: true,
    value (...args: []) {
      const asked = asking.apply(redis, args)
      asked.catch(() => {})
      return asked
    }
  })
}
