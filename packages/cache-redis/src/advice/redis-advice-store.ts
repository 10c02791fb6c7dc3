import { tooLarge } from '@x/cache-core/implementing'
import { ADVICE_SLOTS, type AdvicePlace, type AdviceStore } from '@x/cache-core/suite'
import type { Client } from '../connection/client.js'
import type { AdviceKeys } from '../entries/keys.js'
import { MAX_LEASE_MS } from '../rollout/rollout-scripts.js'
import { StoreCalls } from '../rollout/store-calls.js'

/** The maximum size of an advisor's state in bytes; a larger state is not from this package. */
export const MAX_STATE_BYTES = 8 * 1024 * 1024
/** Milliseconds, 14 days, after which an advisor's state expires unless a process writes it again. */
const LIFETIME_MS = 14 * 86_400_000

/** The states of the advisors in Redis, below the key prefix. The store uses the leases and scripts of the rollout. */
export class RedisAdviceStore implements AdviceStore {
  readonly #calls: StoreCalls
  readonly #keys: AdviceKeys

  constructor (client: Client, keys: AdviceKeys, commandTimeoutMs: number) {
    this.#calls = new StoreCalls(client, commandTimeoutMs)
    this.#keys = keys
  }

  async salt (proposed: string): Promise<string> {
    const { salt } = this.#keys
    await this.#calls.run('advice.salt', (client) => client.set(salt, proposed, 'NX'))
    return await this.#calls.run('advice.salt', (client) => client.get(salt)) ?? proposed
  }

  async take (processId: string, leaseMs: number): Promise<AdvicePlace | undefined> {
    for (let slot = 0; slot < ADVICE_SLOTS; slot++) {
      if (await this.#lead(slot, processId, leaseMs)) return { slot, state: await this.#read(slot) }
    }
    return undefined
  }

  async write (slot: number, processId: string, state: Uint8Array, leaseMs: number): Promise<boolean> {
    if (state.byteLength > MAX_STATE_BYTES) throw tooLarge(state.byteLength, MAX_STATE_BYTES)
    if (!await this.#lead(slot, processId, leaseMs)) return false
    const bytes = Buffer.from(state.buffer, state.byteOffset, state.byteLength)
    const key = this.#keys.state(slot)
    if (await this.#calls.run('advice.write', (client) => client.cacheRolloutEvidence(this.#keys.lease(slot), key, processId, bytes)) !== 1) return false
    await this.#calls.run('advice.write', (client) => client.pexpire(key, LIFETIME_MS))
    return true
  }

  async release (slot: number, processId: string): Promise<void> {
    await this.#calls.run('advice.release', (client) => client.cacheRolloutResign(this.#keys.lease(slot), processId))
  }

  async others (than: number | undefined): Promise<Uint8Array[]> {
    const states: Uint8Array[] = []
    for (let slot = 0; slot < ADVICE_SLOTS; slot++) {
      const state = slot === than ? undefined : await this.#read(slot)
      if (state !== undefined) states.push(state)
    }
    return states
  }

  /** After `close` has been called, all calls of the store reject. */
  close (): void {
    this.#calls.close()
  }

  async #lead (slot: number, processId: string, leaseMs: number): Promise<boolean> {
    const ms = Math.min(Math.max(1, Math.round(leaseMs)), MAX_LEASE_MS)
    return await this.#calls.run('advice.take', (client) => client.cacheRolloutLead(this.#keys.lease(slot), processId, ms)) === 1
  }

  async #read (slot: number): Promise<Uint8Array | undefined> {
    return await this.#calls.run('advice.read', (client) => client.cacheRolloutReadBuffer(this.#keys.state(slot), MAX_STATE_BYTES)) ?? undefined
  }
}
