import { OptionInvalid, resolveOptions } from '@x/cache-core/suite'
import { isCluster, modeOf, type Client } from './connection/client.js'
import { endpointsOf } from './connection/endpoints.js'
import { brotliCompression, gzipCompression } from './entries/codec.js'
import { KINDS } from './entries/keys.js'
import { jsonSerializer, serializerOf } from './entries/serializers.js'
import { nearSettings, type NearSettings } from './near/near-options.js'
import { redisSchema, type RedisCacheSettings } from './options.js'

const OF_SENTINELS = ['sentinelName', 'sentinelUsername', 'sentinelPassword', 'sentinelTls'] as const
const OF_CONNECTIONS = ['username', 'password', 'db', 'tls', 'natMap', 'dnsLookup', 'protocol', ...OF_SENTINELS] as const

/**
 * Checks the options of a `RedisCache`, alone and in combination, and adds their defaults.
 * @throws `CACHE_ERR_OPTION_INVALID`
 */
export function resolveRedisOptions (raw: object): RedisCacheSettings {
  const given = resolveOptions(redisSchema, raw)
  const settings: RedisCacheSettings = { ...given, near: nearSettings(given.near) }
  const { url, nodes, client, keyPrefix, compression } = settings
  if (client !== undefined) settings.mode = checkClient(client, raw, settings)
  const { mode } = settings
  const urls = url === undefined ? 0 : typeof url === 'string' ? url.split(',').length : url.length
  if (url !== undefined && nodes !== undefined) refuse('nodes', 'nodes beside url', 'one of client, url and nodes')
  if (mode === 'single' && (urls > 1 || nodes !== undefined)) refuse('mode', '"single" with several nodes', '"cluster" or "sentinel", or one url')
  if (mode !== 'sentinel') refuseGiven(settings, OF_SENTINELS, `mode "${mode}"`, 'mode "sentinel"')
  if (mode !== 'cluster') refuseGiven(settings, ['dnsLookup'], `mode "${mode}"`, 'mode "cluster"')
  if (mode === 'single') refuseGiven(settings, ['natMap'], 'mode "single"', 'mode "cluster" or "sentinel"')
  if (mode === 'sentinel' && nodes?.some(({ servername }) => servername !== undefined) === true) {
    refuse('nodes', 'a servername of a Sentinel', 'sentinelTls: { servername }')
  }
  if (typeof compression === 'object' && compression !== gzipCompression && compression !== brotliCompression &&
    !(Number.isInteger(compression.id) && compression.id >= 128 && compression.id <= 255)) {
    refuse('compression.id', String(compression.id), 'a whole number from 128 to 255')
  }
  if (keyPrefix.includes('{') && !/^[^{]*\{[^}]+\}/.test(keyPrefix)) {
    refuse('keyPrefix', JSON.stringify(keyPrefix), 'one without a brace, or with a whole hash tag: the keys of a lock would lie in different slots')
  }
  if (keyPrefix.split(':').slice(1, -1).some((part) => KINDS.has(part))) {
    refuse('keyPrefix', JSON.stringify(keyPrefix), `one without ${[...KINDS].map((kind) => `:${kind}:`).join(' ')} in it: such keys would lie among those of a cache with a shorter prefix`)
  }
  if (mode === 'cluster' && (settings.db ?? 0) !== 0) refuse('db', String(settings.db), '0 in a Cluster')
  if (mode === 'cluster' && settings.connections > 1) refuse('connections', String(settings.connections), '1 in a Cluster')
  if (settings.heartbeatMs * 2 > settings.heartbeatTimeoutMs) {
    refuse('heartbeatMs', String(settings.heartbeatMs), 'at most half of heartbeatTimeoutMs')
  }
  if (settings.near !== undefined) checkNear(settings.near, settings)
  if (client === undefined) checkTls(settings)
  return settings
}

/**
 * Returns the mode of the app's client. Refuses options that have no effect on that client, and settings of the client that break the
 * cache: a key prefix, numbers as strings, reads from replicas.
 */
function checkClient (client: Client, raw: object, settings: RedisCacheSettings): RedisCacheSettings['mode'] {
  const { keyPrefix, stringNumbers, redisOptions } = client.options as {
    keyPrefix?: string | null
    stringNumbers?: boolean
    redisOptions?: { stringNumbers?: boolean }
  }
  if (settings.url !== undefined || settings.nodes !== undefined) refuse('client', 'a client beside url or nodes', 'one of client, url and nodes')
  refuseGiven(settings, OF_CONNECTIONS, 'it beside a client', 'an option of the client')
  if (typeof keyPrefix === 'string' && keyPrefix !== '') {
    refuse('client', 'a client with a keyPrefix of its own, which the names of invalidated keys would not have', 'a client without one; keyPrefix is an option here')
  }
  if (stringNumbers === true || redisOptions?.stringNumbers === true) refuse('client', 'a client with stringNumbers', 'a client that gives numbers')
  if (isCluster(client) && client.options.scaleReads !== undefined && client.options.scaleReads !== 'master') {
    refuse('client', 'a client that reads from replicas (scaleReads), which may not have an invalidation yet', 'a client that reads from masters')
  }
  const mode = modeOf(client)
  const given = (raw as { mode?: unknown }).mode
  if (given !== undefined && given !== mode) refuse('mode', `${JSON.stringify(given)} with a client of mode "${mode}"`, `"${mode}", or none`)
  return mode
}

function checkNear ({ isolation }: NearSettings, { consistency, serializer }: RedisCacheSettings): void {
  if (consistency === 'strong') refuse('near', 'copies in this process with consistency "strong"', 'consistency "bounded", or no near')
  if (isolation === 'freeze' && serializerOf(serializer) !== jsonSerializer) {
    refuse('near.isolation', '"freeze" with a serializer, whose values may be of any class', '"clone"')
  }
}

/** Refuses a `servername` without TLS. Parses the URLs to find whether TLS is used, which throws for an invalid URL. */
function checkTls (settings: RedisCacheSettings): void {
  const isTls = typeof settings.tls === 'object' || (settings.tls ?? endpointsOf(settings)[0]!.tls)
  if (!isTls && settings.nodes?.some(({ servername }) => servername !== undefined) === true) refuse('nodes', 'a servername without TLS', 'tls: true beside it')
}

function refuseGiven (settings: RedisCacheSettings, names: readonly (keyof RedisCacheSettings)[], got: string, allowed: string): void {
  for (const name of names) if (settings[name] !== undefined) refuse(name, got, allowed)
}

function refuse (name: string, got: string, allowed: string): never {
  throw new OptionInvalid(name, got, allowed)
}
