import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The folder of cache-edge, with its guide and the configurations. */
export const FOLDER = join(import.meta.dirname, '../../cache-edge')
// Debian installs servers in directories that only root has in its PATH, so the directories are added.
export const env = { ...process.env, PATH: `${process.env.PATH}:/usr/local/sbin:/usr/sbin` }

/** Replacements of texts in a configuration, each as a pair of the old and the new text. */
export type Replacements = ReadonlyArray<readonly [from: string, to: string]>

/** Changes of a shipped configuration. */
export interface Variation {
  readonly canary?: boolean
  /**
   * Whether requests wait minutes, and not a second, for another request that fetches the same response; a busy machine needs more than a
   * second.
   */
  readonly isPatient?: boolean
  readonly changes?: Replacements
}

/** A proxy for which `cache-edge` ships a configuration. */
export interface Kind {
  readonly binary: string
  /** The argument with which the binary prints its version. */
  readonly versionFlag: string
  /** The environment variable that may name another binary of the proxy. */
  readonly variable: string
  /** The folder of the configuration; every file in it is copied. */
  readonly folder: string
  /** The line of edge-cache-guide.md that starts the proxy. */
  readonly start: RegExp
  readonly port: string
  /** The port on which the proxy receives requests from itself, such as the revalidations of nginx. */
  readonly innerPort?: string
  /** The status with which the proxy itself refuses TRACE. Tests send TRACE until the proxy runs, so that the app gets no such request. */
  readonly refusal: number
  /** The replacements by which requests wait minutes for another request (`isPatient` of a `Variation`). */
  readonly patience?: Replacements
  /** The replacements by which the proxy caches the responses for a share of the clients only, as a canary. */
  readonly canary?: Replacements
}

/** The proxies for which `cache-edge` ships a configuration. */
export const KINDS = {
  nginx: {
    binary: 'nginx',
    versionFlag: '-v',
    variable: 'CACHE_TEST_NGINX',
    folder: 'nginx',
    start: /^mkdir -p run && nginx .*$/m,
    port: '8901',
    innerPort: '8911',
    refusal: 405,
    patience: [['proxy_cache_lock_timeout 1s', 'proxy_cache_lock_timeout 300s'], ['proxy_cache_lock_age 10s', 'proxy_cache_lock_age 300s']],
    canary: [
      ['# split_clients "cache-edge', 'split_clients "cache-edge'],
      ['split_clients "cache-edge:$remote_addr" $cache_arm { * cached; }', '']
    ]
  },
  varnish: {
    binary: 'varnishd',
    versionFlag: '-V',
    variable: 'CACHE_TEST_VARNISHD',
    folder: 'varnish',
    start: /^mkdir -p run && varnishd .*$/m,
    port: '8902',
    refusal: 405,
    canary: [['# arms.add_backend', 'arms.add_backend']]
  },
  haproxy: {
    binary: 'haproxy',
    versionFlag: '-v',
    variable: 'CACHE_TEST_HAPROXY',
    folder: 'haproxy',
    start: /^haproxy .*$/m,
    port: '8903',
    refusal: 405
  },
  apache: {
    binary: 'apache2',
    versionFlag: '-v',
    variable: 'CACHE_TEST_APACHE',
    folder: 'apache',
    start: /^mkdir .* && env RUN=.* apache2 .*$/m,
    port: '8904',
    refusal: 405
  },
  squid: {
    binary: 'squid',
    versionFlag: '-v',
    variable: 'CACHE_TEST_SQUID',
    folder: 'squid',
    start: /^mkdir .* && squid .*$/m,
    port: '8905',
    refusal: 403
  },
  trafficserver: {
    binary: 'traffic_server',
    versionFlag: '-V',
    variable: 'CACHE_TEST_TRAFFICSERVER',
    folder: 'trafficserver',
    start: /^mkdir .* && traffic_server .*$/m,
    port: '8906',
    refusal: 403
  },
  caddy: {
    binary: 'caddy',
    versionFlag: 'version',
    variable: 'CACHE_TEST_CADDY',
    folder: 'caddy',
    start: /^mkdir .* && caddy .*$/m,
    port: '8907',
    refusal: 405
  }
} as const satisfies Record<string, Kind>

/** The name of a proxy for which `cache-edge` ships a configuration. */
export type ProxyKind = keyof typeof KINDS
/** The names of the proxies for which `cache-edge` ships a configuration. */
export const PROXY_KINDS = Object.keys(KINDS) as ProxyKind[]

function binaryOf (kind: ProxyKind): string {
  return process.env[KINDS[kind].variable] ?? KINDS[kind].binary
}

/** Returns the version of a proxy, as its binary prints it; `undefined`: the proxy is not installed. */
export function versionOf (kind: ProxyKind): string | undefined {
  const { error, stdout, stderr } = spawnSync(binaryOf(kind), [KINDS[kind].versionFlag], { env, encoding: 'utf8' })
  return error === undefined ? /\d+\.\d+(?:\.\d+)?/.exec(stdout + stderr)?.[0] : undefined
}

/** Returns the command line with which edge-cache-guide.md starts a proxy, before the test replaces the port. */
export function commandOf (kind: ProxyKind): string {
  const command = KINDS[kind].start.exec(readFileSync(join(FOLDER, 'edge-cache-guide.md'), 'utf8'))
  if (command === null) throw new Error(`edge-cache-guide.md does not say how to start ${kind}`)
  return command[0].replace(` ${KINDS[kind].binary} `, ` ${binaryOf(kind)} `).replace(/^haproxy/, binaryOf('haproxy'))
}
