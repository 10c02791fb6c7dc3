import { Redis } from 'ioredis'
import { closeClient, guardSockets, type ClientOptions } from './client.js'
import type { Warn } from './app-callback.js'
import { isRefusal, publicText } from './redis-errors.js'

const CHANNEL = '+switch-master'

/**
 * Subscribes to the Sentinels' message that another master was chosen. After a planned failover the old master remains a
 * master for ten seconds or more, and accepts writes that are lost; the message ends the connections to the old master earlier.
 */
export class SentinelWatch {
  readonly #sentinels: readonly Redis[]

  /**
   * Subscribes at all Sentinels.
   * @param onSwitch called once per Sentinel with the address of the new master; must not throw
   */
  constructor (
    sentinels: readonly { host: string; port: number }[], options: ClientOptions, masterName: string,
    onSwitch: (host: string, port: number) => void, warn: Warn
  ) {
    this.#sentinels = sentinels.map((sentinel) => new Redis({
      ...options,
      ...sentinel,
      protocol: 2,
      enableReadyCheck: false,
      enableOfflineQueue: true,
      maxRetriesPerRequest: null,
      connectionName: 'cache-sentinel',
      disableClientInfo: true,
      retryStrategy: (times) => Math.min(250 * times, 2000)
    }))
    for (const sentinel of this.#sentinels) {
      guardSockets(sentinel)
      sentinel.on('error', () => {
        // Errors are ignored here: the data connection connects to all Sentinels, and reports those that do not answer.
      })
      sentinel.on('message', (channel: string, message: string) => {
        // The message of the Sentinels has the name of the master, its old address and its new address.
        const [name, , , host, port] = message.split(' ')
        if (channel === CHANNEL && name === masterName && host !== undefined) onSwitch(host, Number(port))
      })
      sentinel.subscribe(CHANNEL).catch((error: unknown) => {
        if (isRefusal(error)) warn(new Error(`A Sentinel refuses SUBSCRIBE ${CHANNEL} (${publicText(error)}); until it is allowed, a planned failover is found only when the old master has become a replica`))
      })
    }
  }

  close (): void {
    for (const sentinel of this.#sentinels) closeClient(sentinel)
  }
}
