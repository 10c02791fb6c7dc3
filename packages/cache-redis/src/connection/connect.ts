import type { ConnectionOptions } from 'node:tls'
import { Cluster, Redis, type ClusterOptions } from 'ioredis'
import { closeClient, type Client, type ClientOptions } from './client.js'
import { defineScripts } from './commands.js'
import { endpointsOf, type Endpoint } from './endpoints.js'
import type { Warn } from './guard.js'
import { natMapFor } from './nat-map.js'
import type { RedisCacheSettings } from '../options.js'
import { SentinelWatch } from './sentinel-watch.js'

/** The clients of a cache. */
export interface Clients {
  /** The first carries everything but entries where there are several. They connect by themselves. */
  readonly lanes: readonly Client[]
  /** Closes all but the app's own. */
  close (): void
}

/** Less often than sockets would gather listeners, and soon enough for a connection that found the same server again. */
const LEAVE_MS = 250

/** Makes the clients, or takes the app's own. */
export function connect (settings: RedisCacheSettings, warn: Warn): Clients {
  const { client, connections } = settings
  const stops: (() => void)[] = []
  const lanes = client === undefined
    ? makeClients(settings, warn, stops)
    : [client, ...Array.from({ length: connections - 1 }, () => (client as Redis).duplicate())]
  for (const each of lanes) {
    defineScripts(each)
    // The first tells of outages; ioredis prints an error that nobody listens to.
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

function makeClients (settings: RedisCacheSettings, warn: Warn, stops: (() => void)[]): Client[] {
  const endpoints = endpointsOf(settings)
  const [first] = endpoints as [Endpoint]
  const tls = tlsOf(settings.tls, first.tls)
  const common: ClientOptions = {
    connectTimeout: settings.connectTimeoutMs,
    // A stopped server keeps its connections open: without this the client would stay on it for good.
    socketTimeout: settings.socketTimeoutMs,
    maxRetriesPerRequest: 0,
    // What was sent on a connection that broke may have been carried out: it is for the caller to say what that means.
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    connectionName: 'cache',
    // An ACL user that may not use CLIENT SETINFO would fill the server's ACL LOG with each connection.
    disableClientInfo: true,
    retryStrategy: (times) => Math.min(50 * times, 500),
    ...compact({
      username: settings.username ?? first.username,
      password: settings.password ?? first.password,
      db: settings.db ?? first.db,
      family: first.family,
      tls
    })
  }
  const natMap = settings.natMap === undefined ? undefined : natMapFor(settings.natMap, tls, warn)
  switch (settings.mode) {
    case 'single':
      return Array.from({ length: settings.connections }, () => new Redis({ ...common, reconnectOnError: leaveReplicas(), host: first.host, port: first.port }))
    case 'sentinel': {
      const sentinels = endpoints.map(({ host, port }) => ({ host, port }))
      const name = settings.sentinelName ?? 'mymaster'
      const { sentinelUsername, sentinelPassword } = settings
      const sentinelTLS = settings.sentinelTls === undefined ? tls : tlsOf(settings.sentinelTls, false)
      const lanes = Array.from({ length: settings.connections }, () => new Redis({
        ...common,
        reconnectOnError: leaveReplicas(),
        ...compact({ natMap: natMap as ClusterOptions['natMap'] }),
        sentinels,
        name,
        sentinelRetryStrategy: (times) => Math.min(50 * times, 500),
        ...compact({ sentinelUsername, sentinelPassword, sentinelTLS }),
        ...tls === undefined ? {} : { enableTLSForSentinelMode: true }
      }))
      const { connectTimeout, family } = common
      const watch = new SentinelWatch(sentinels, compact({ connectTimeout, family, username: sentinelUsername, password: sentinelPassword, tls: sentinelTLS }), name, leaveFor(lanes), warn)
      stops.push(() => watch.close())
      return lanes
    }
    case 'cluster': {
      // The pool sets these for each of its nodes.
      const { retryStrategy, enableOfflineQueue, ...ofNodes } = common
      const nodes = endpoints.map(({ host, port, servername }) => servername === undefined ? { host, port } : { host, port, tls: { ...tls, servername } })
      const cluster = new Cluster(nodes, {
        ...compact({ natMap: natMap as ClusterOptions['natMap'] }),
        enableOfflineQueue: false,
        redisOptions: { ...ofNodes, reconnectOnError: leaveReplicas() },
        slotsRefreshTimeout: settings.connectTimeoutMs,
        clusterRetryStrategy: (times) => Math.min(50 * times, 500),
        ...dnsLookupFor(settings, tls)
      })
      stops.push(refreshSlots(cluster, settings.socketTimeoutMs))
      return [cluster]
    }
  }
}

/** Leaves the old master, unless the connection found the new one already. */
function leaveFor (lanes: readonly Redis[]): (host: string, port: number) => void {
  return (host, port) => {
    for (const lane of lanes) {
      const { stream } = lane as { stream?: { remoteAddress?: string; remotePort?: number } }
      if (lane.status === 'ready' && (stream?.remoteAddress !== host || stream.remotePort !== port)) lane.disconnect(true)
    }
  }
}

/**
 * How a Cluster's host names are resolved: with TLS not before the connection is made, for it must know the name that the
 * certificate has; ioredis would resolve them first.
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
 * Leaves a master that became a replica: one reconnection for all commands that it refused. For each that is asked for, ioredis
 * (6.0.0) ends the socket once more and adds a listener to it.
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
 * Finds out about a stopped master, which refuses no connection. Not the client's own `slotsRefreshInterval`: when it is
 * closed during a refresh, that one goes on for good and keeps the process alive (ioredis 6.0.0).
 */
function refreshSlots (cluster: Cluster, everyMs: number): () => void {
  const timer = setInterval(() => { if (cluster.status === 'ready') cluster.refreshSlotsCache() }, everyMs)
  timer.unref()
  return () => clearInterval(timer)
}

function compact<T extends object> (object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never
}
