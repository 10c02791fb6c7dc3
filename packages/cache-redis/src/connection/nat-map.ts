import type { ConnectionOptions } from 'node:tls'
import { guard, type Warn } from './app-callback.js'

/** The address of a server, and the name in its certificate if that is not `host`. */
export interface NatTarget { readonly host: string; readonly port: number; readonly servername?: string }

/**
 * A map from the `host:port` that Redis announces to the address for this process; addresses that are not in the map are used unchanged.
 */
export type NatMap = Readonly<Record<string, NatTarget>> | ((announced: string) => NatTarget | null | undefined)

type Mapped = { host: string; port: number; servername?: string; tls?: ConnectionOptions }

/** A `natMap` in the form that ioredis accepts: the name in the certificate is added to the TLS options of the connection. */
export function natMapFor (natMap: NatMap, tls: ConnectionOptions | undefined, warn: Warn): (announced: string) => Mapped | null {
  let found: NatTarget | null | undefined
  // ioredis calls the app's `natMap` function from an event handler of a socket, where an exception would end the process.
  const ask = typeof natMap === 'function'
    ? guard('natMap', (announced: string) => { found = natMap(announced) }, warn)
    : (announced: string) => { found = Object.hasOwn(natMap, announced) ? natMap[announced] : undefined }
  return (announced) => {
    found = undefined
    ask(announced)
    if (!isTarget(found)) return null
    const { host, port, servername } = found
    return servername === undefined || tls === undefined ? { host, port } : { host, port, servername, tls: { ...tls, servername } }
  }
}

export function isTarget (value: unknown): value is NatTarget {
  const { host, port, servername } = (value ?? {}) as { [name in keyof NatTarget]?: unknown }
  return typeof host === 'string' && host !== '' && Number.isInteger(port) && (servername === undefined || typeof servername === 'string')
}
