import type { Log } from '../lib/harmless.js'
import { STATUS_PATH, type InternalAccess } from './status-route.js'

/**
 * Whether the internal endpoints may be open without option `expose` and its guard: in development, test and staging. Any other value of
 * `NODE_ENV`, such as `prod`, `Production` or an empty one, may belong to a public server.
 */
export function needsNoGuard (): boolean {
  const { NODE_ENV } = process.env
  return NODE_ENV === undefined || NODE_ENV === 'development' || NODE_ENV === 'test' || NODE_ENV === 'staging'
}

/**
 * Logs which clients may read the internal endpoints, so that an operator knows of an open or closed endpoint. `also`: paths of further
 * endpoints.
 */
export function announceAccess (log: Log, { isOpen, guard }: InternalAccess, also: string): void {
  const { NODE_ENV } = process.env
  const environment = NODE_ENV === undefined ? 'NODE_ENV is not set' : `NODE_ENV is ${JSON.stringify(NODE_ENV.slice(0, 32))}`
  const paths = `GET ${STATUS_PATH} and ${STATUS_PATH}/*${also}`
  if (!isOpen) {
    log.info({}, `Cache: ${paths} are closed (${environment}); { expose: true, guard } of register(cacheCore) opens them behind a hook of the app's own`)
  } else if (guard === undefined) {
    log.info({}, `Cache: ${paths} are open to every client (${environment}); NODE_ENV=production closes them`)
  } else {
    log.info({}, `Cache: ${paths} are open behind the guard (${environment})`)
  }
}
