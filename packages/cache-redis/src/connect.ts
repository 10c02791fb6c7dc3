import { OptionInvalid } from '@x/cache-core'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { defineScripts } from './commands.js'
import type { Client } from './connection.js'
import type { RedisCacheSettings } from './options.js'

interface Endpoint { host: string; port: number; username?: string; password?: string; db?: number; tls: boolean }

/** Less often than sockets would gather listeners, and soon enough for a connection that found the same server again. */
const LEAVE_MS = 250

/** Makes the clients: the first carries everything but entries where there are several. They connect by themselves. */
export function connect (settings: RedisCacheSettings): Client[] {
  const { client, connections } = settings
  const clients = client === undefined
    ? Array.from({ length: connections }, () => makeClient(settings))
    : [client, ...Array.from({ length: connections - 1 }, () => (client as Redis).duplicate())]
  for (const each of clients) defineScripts(each)
  return clients
}

function makeClient (settings: RedisCacheSettings): Client {
  const endpoints = endpointsOf(settings)
  const [first] = endpoints
  const common: RedisOptions = {
    connectTimeout: settings.connectTimeoutMs,
    // A stopped server keeps its connections open: without this the client would stay on it for good.
    socketTimeout: settings.socketTimeoutMs,
    maxRetriesPerRequest: 0,
    // What was sent on a connection that broke may have been carried out: it is for the caller to say what that means.
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    connectionName: 'cache',
    retryStrategy: (times) => Math.min(50 * times, 500),
    reconnectOnError: leaveReplicas(),
    ...compact({
      username: settings.username ?? first!.username,
      password: settings.password ?? first!.password,
      db: settings.db ?? first!.db,
      tls: settings.tls === false ? undefined : typeof settings.tls === 'object' ? settings.tls : settings.tls === true || first!.tls ? {} : undefined
    })
  }
  switch (settings.mode) {
    case 'single':
      return new Redis({ ...common, host: first!.host, port: first!.port })
    case 'sentinel':
      return new Redis({
        ...common,
        sentinels: endpoints.map(({ host, port }) => ({ host, port })),
        name: settings.sentinelName ?? 'mymaster',
        sentinelRetryStrategy: (times) => Math.min(50 * times, 500),
        ...compact({ sentinelUsername: settings.sentinelUsername, sentinelPassword: settings.sentinelPassword, sentinelTLS: common.tls }),
        ...common.tls === undefined ? {} : { enableTLSForSentinelMode: true }
      })
    case 'cluster': {
      // The pool sets these for each of its nodes.
      const { retryStrategy, enableOfflineQueue, ...redisOptions } = common
      const cluster = new Cluster(endpoints.map(({ host, port }) => ({ host, port })), {
        enableOfflineQueue: false,
        redisOptions,
        slotsRefreshTimeout: settings.connectTimeoutMs,
        clusterRetryStrategy: (times) => Math.min(50 * times, 500)
      })
      refreshSlots(cluster, settings.socketTimeoutMs)
      return cluster
    }
  }
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
function refreshSlots (cluster: Cluster, everyMs: number): void {
  const timer = setInterval(() => { if (cluster.status === 'ready') cluster.refreshSlotsCache() }, everyMs)
  timer.unref()
  cluster.once('end', () => clearInterval(timer))
}

function endpointsOf ({ url, nodes }: RedisCacheSettings): Endpoint[] {
  if (nodes !== undefined) return nodes.map((node) => ({ ...node, tls: false }))
  const urls = url === undefined ? ['redis://127.0.0.1:6379'] : typeof url === 'string' ? url.split(',') : url
  return urls.map((each) => {
    let parsed: URL
    let credentials: { username: string | undefined; password: string | undefined }
    try {
      parsed = new URL(each.trim())
      credentials = { username: decodeURIComponent(parsed.username) || undefined, password: decodeURIComponent(parsed.password) || undefined }
    } catch {
      // The URL stays out of the message: it may hold a password.
      throw new OptionInvalid('url', 'a string that is no URL', 'redis://user:password@host:port/db')
    }
    const db = parsed.pathname.slice(1)
    if (db !== '' && !/^\d+$/.test(db)) throw new OptionInvalid('url', 'a database that is no number', 'redis://user:password@host:port/db')
    return {
      host: parsed.hostname.replace(/^\[|\]$/g, ''),
      port: parsed.port === '' ? 6379 : Number(parsed.port),
      tls: parsed.protocol === 'rediss:',
      ...compact({
        ...credentials,
        db: db === '' ? undefined : Number(db)
      })
    }
  })
}

function compact<T extends object> (object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never
}
