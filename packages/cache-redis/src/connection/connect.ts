import type { ConnectionOptions } from 'node:tls'
import { Cluster, Redis, type ClusterOptions } from 'ioredis'
import { closeClient, guardSockets, type Client, type ClientOptions } from './client.js'
import { defineScripts } from './commands.js'
import { endpointsOf, type Endpoint } from './endpoints.js'
import type { Warn } from './app-callback.js'
import { natMapFor } from './nat-map.js'
import type { RedisCacheSettings } from '../options.js'
import { SentinelWatch } from './sentinel-watch.js'

/** The Redis clients that one cache uses. */
export interface Clients {
  /**
   * The Redis clients over which entries are spread, at least one, which have begun to connect. The first one also carries tokens, locks
   * and messages.
   */
  readonly lanes: readonly Client[]
  /** Closes all Redis clients except the app's own. */
  close (): void
}

/**
 * The minimum time, in milliseconds, between two reconnections because of READONLY: each reconnection in a row adds a listener to the
 * socket.
 */
const LEAVE_MS = 250

/** Makes the clients of a cache, or uses the app's own. */
export function connect (settings: RedisCacheSettings, isIdle: () => boolean, warn: Warn): Clients {
  const { client, connections } = settings
  const stops: (() => void)[] = []
  const lanes = client === undefined
    ? makeClients(settings, isIdle, warn, stops)
    : [client, ...Array.from({ length: connections - 1 }, () => (client as Redis).duplicate())]
  for (const each of lanes) {
    defineScripts(each)
    if (each !== client) guardSockets(each)
    // Errors of all clients but the first are ignored: the first client reports outages. A listener is needed, since ioredis prints errors
    // that have no listener.
    if (each !== lanes[0]) each.on('error', () => {})
  }
  return {
    lanes,
    close () {
      for (const stop of stops) stop()
      for (const each of lanes) if (each !== client) closeClient(each)
    }
  }
}

/** The servers that the clients of a cache connect to, and the options of the connections. */
interface Target {
  readonly settings: RedisCacheSettings
  readonly isIdle: () => boolean
  readonly endpoints: readonly Endpoint[]
  readonly tls: ConnectionOptions | undefined
  /** The options of ioredis that do not depend on the mode. */
  readonly common: ClientOptions
  readonly natMap: ClusterOptions['natMap'] | undefined
}

/** Makes the Redis clients for the mode. `stops` receives the functions that end the timer or watch started with the clients. */
function makeClients (settings: RedisCacheSettings, isIdle: () => boolean, warn: Warn, stops: (() => void)[]): Client[] {
  const endpoints = endpointsOf(settings)
  const [first] = endpoints as [Endpoint]
  const tls = tlsOf(settings.tls, first.tls)
  const common = commonOptions(settings, first, tls)
  const natMap = settings.natMap === undefined ? undefined : natMapFor(settings.natMap, tls, warn) as ClusterOptions['natMap']
  const target: Target = { settings, isIdle, endpoints, tls, common, natMap }
  switch (settings.mode) {
    case 'single':
      return Array.from({ length: settings.connections }, () =>
        new Redis({ ...common, reconnectOnError: leaveReplicas(), host: first.host, port: first.port }))
    case 'sentinel': return sentinelClients(target, warn, stops)
    case 'cluster': return [clusterClient(target, stops)]
  }
}

function commonOptions (settings: RedisCacheSettings, first: Endpoint, tls: ConnectionOptions | undefined): ClientOptions {
  return {
    connectTimeout: settings.connectTimeoutMs,
    // A server whose process hangs leaves its connections open; without this time limit the client would never close its connection.
    socketTimeout: settings.socketTimeoutMs,
    maxRetriesPerRequest: 0,
    // A command that was sent before the connection broke may have run; its caller decides whether to send it again.
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    connectionName: 'cache',
    // Each connection of an ACL user without CLIENT SETINFO would add a line to the server's ACL LOG.
    disableClientInfo: true,
    retryStrategy: (times) => Math.min(50 * times, 500),
    ...compact({
      username: settings.username ?? first.username,
      password: settings.password ?? first.password,
      db: settings.db ?? first.db,
      family: first.family,
      protocol: settings.protocol,
      tls
    })
  }
}

function sentinelClients ({ settings, endpoints, tls, common, natMap }: Target, warn: Warn, stops: (() => void)[]): Redis[] {
  const sentinels = endpoints.map(({ host, port }) => ({ host, port }))
  const name = settings.sentinelName ?? 'mymaster'
  const { sentinelUsername, sentinelPassword } = settings
  const sentinelTLS = settings.sentinelTls === undefined ? tls : tlsOf(settings.sentinelTls, false)
  const lanes = Array.from({ length: settings.connections }, () => new Redis({
    ...common,
    reconnectOnError: leaveReplicas(),
    ...compact({ natMap }),
    sentinels,
    name,
    sentinelRetryStrategy: (times) => Math.min(50 * times, 500),
    ...compact({ sentinelUsername, sentinelPassword, sentinelTLS }),
    ...tls === undefined ? {} : { enableTLSForSentinelMode: true }
  }))
  const { connectTimeout, family } = common
  const options = compact({ connectTimeout, family, username: sentinelUsername, password: sentinelPassword, tls: sentinelTLS })
  const watch = new SentinelWatch(sentinels, options, name, leaveFor(lanes), warn)
  stops.push(() => watch.close())
  return lanes
}

function clusterClient ({ settings, isIdle, endpoints, tls, common, natMap }: Target, stops: (() => void)[]): Cluster {
  // `retryStrategy` and `enableOfflineQueue` are left out of the options for a Cluster's nodes, since ioredis itself sets both options for
  // each node.
  const { retryStrategy, enableOfflineQueue, ...ofNodes } = common
  const nodes = endpoints.map(({ host, port, servername }) =>
    servername === undefined ? { host, port } : { host, port, tls: { ...tls, servername } })
  const cluster = new Cluster(nodes, {
    ...compact({ natMap }),
    enableOfflineQueue: false,
    redisOptions: { ...ofNodes, reconnectOnError: leaveReplicas() },
    slotsRefreshTimeout: settings.connectTimeoutMs,
    clusterRetryStrategy: (times) => Math.min(50 * times, 500),
    ...dnsLookupFor(settings, tls)
  })
  stops.push(refreshSlots(cluster, settings.socketTimeoutMs, isIdle))
  return cluster
}

/** Returns a function that reconnects those clients that are not connected to the new master. */
function leaveFor (lanes: readonly Redis[]): (host: string, port: number) => void {
  return (host, port) => {
    for (const lane of lanes) {
      const { stream } = lane as { stream?: { remoteAddress?: string; remotePort?: number } }
      if (lane.status === 'ready' && (stream?.remoteAddress !== host || stream.remotePort !== port)) lane.disconnect(true)
    }
  }
}

/**
 * The option that resolves a Cluster's host names. With TLS the name is not resolved: the certificate is compared with the name, and
 * ioredis would replace the name by an address.
 */
function dnsLookupFor ({ dnsLookup }: RedisCacheSettings, tls: ConnectionOptions | undefined): Pick<ClusterOptions, 'dnsLookup'> {
  if (dnsLookup !== undefined) return { dnsLookup }
  return tls === undefined ? {} : { dnsLookup: (hostname, callback) => callback(null, hostname) }
}

function tlsOf (option: boolean | ConnectionOptions | undefined, isDefault: boolean): ConnectionOptions | undefined {
  if (typeof option === 'object') return option
  return option ?? isDefault ? {} : undefined
}

/**
 * Makes a `reconnectOnError` that leaves a master which became a replica, with one reconnection for all refused commands. For each
 * further reconnection, ioredis (6.0.0) would end the socket again and add a listener to it.
 */
function leaveReplicas (): (error: Error) => boolean {
  let leftAt = -Infinity
  return ({ message }) => {
    if (!message.startsWith('READONLY') || performance.now() - leftAt < LEAVE_MS) return false
    leftAt = performance.now()
    return true
  }
}

/**
 * Refreshes the slot table at an interval, which detects a stopped master; returns the function that ends the interval. ioredis opens a
 * connection for each refresh, so an idle process refreshes nothing: its first operation follows a redirection instead. The option
 * `slotsRefreshInterval` is not used: a client closed during a refresh keeps the process alive (ioredis 6.0.0).
 */
function refreshSlots (cluster: Cluster, everyMs: number, isIdle: () => boolean): () => void {
  const timer = setInterval(() => { if (cluster.status === 'ready' && !isIdle()) cluster.refreshSlotsCache() }, everyMs)
  timer.unref()
  return () => clearInterval(timer)
}

function compact<T extends object> (object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never
}
