import { randomBytes, randomUUID } from 'node:crypto'
import { ADVICE_SLOTS, type AdviceStore } from '@x/cache-core/suite'
import { nameOfSalt, type AdviceState } from '../accesses/advice-state.js'
import { packState, unpackState } from './packed-state.js'

/** Milliseconds between two writes of the advisor's state. */
const WRITE_MS = 5 * 60_000
/** Milliseconds after which the keeper tries again to use a store that failed at the start. */
const RETRY_MS = 10_000
/** Milliseconds for which the lease of a slot lasts: the time of two writes. */
const LEASE_MS = 2 * WRITE_MS
/** The default of `startMs`: milliseconds for which the start of an app waits for the store. */
const START_MS = 2000

/** The functions and objects that an `AdviceKeeper` uses. */
export interface KeeperParts {
  /** The store of the advisors' states; `undefined`: the states are not stored. */
  readonly store: AdviceStore | undefined
  /** The salt that the app gives; `undefined`: the salt in the store is used. */
  readonly salt: string | undefined
  readonly entries: readonly number[]
  readonly startMs?: number
  readonly warn: (message: string) => void
  /** Begins an observation, and ends an earlier one. `earlier`: the state that the observation continues. */
  readonly observe: (salt?: string, earlier?: AdviceState) => Promise<void>
  /** Returns the advisor's present state; `undefined`: the accesses are not recorded. */
  readonly state: () => AdviceState | undefined
}

/**
 * Stores the advisor's state over restarts, and reads the states of the other processes. No method rejects: a failure is logged in one
 * line, and the advisor observes without its earlier state.
 */
export class AdviceKeeper {
  readonly #parts: KeeperParts
  readonly #processId = randomUUID()
  readonly #said = new Set<string>()
  #salt: string | undefined
  #slot: number | undefined
  #timer: NodeJS.Timeout | undefined
  #pending: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor (parts: KeeperParts) {
    this.#parts = parts
  }

  /**
   * Begins the observation with the stored state. If the store does not answer in time, the keeper tries again later, and the observation
   * then starts again.
   */
  async start (): Promise<void> {
    const { store, salt, observe } = this.#parts
    if (store === undefined) {
      this.#salt = salt
      return observe(salt)
    }
    this.#pending = this.#join()
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#parts.startMs ?? START_MS)
      void this.#pending.then(() => {
        clearTimeout(timer)
        resolve()
      })
    })
    if (this.#salt === undefined) await observe(salt)
    this.#plan()
  }

  /** Sets the timer for the next write, or for the next attempt to use the store. */
  #plan (): void {
    if (this.#isClosed) return
    this.#timer = setTimeout(() => {
      void this.keep().then(() => this.#plan())
    }, this.#salt === undefined ? RETRY_MS : WRITE_MS).unref()
  }

  /** Stores the advisor's present state, or tries again to use a store that failed at the start. */
  keep (): Promise<void> {
    return this.#next(async () => {
      if (this.#salt === undefined) await this.#join()
      else await this.#write()
    })
  }

  /** Returns the states of the other processes; states that cannot be used are left out. */
  async others (): Promise<AdviceState[]> {
    const states: AdviceState[] = []
    if (this.#salt === undefined || this.#parts.store === undefined) return states
    await this.#try('the states of other processes cannot be read', async (store) => {
      for (const bytes of await store.others(this.#slot)) {
        const state = await this.#unpack(bytes)
        if (state !== undefined) states.push(state)
      }
    })
    return states
  }

  /** Stores the advisor's state a last time, and frees its slot. */
  close (): Promise<void> {
    if (this.#isClosed) return this.#pending
    this.#isClosed = true
    clearTimeout(this.#timer)
    return this.#next(async () => {
      const slot = this.#slot
      if (slot === undefined) return
      await this.#write()
      await this.#try('its place in the store cannot be freed', (store) => store.release(slot, this.#processId))
    })
  }

  /** Runs a step of joining, storing or leaving after all earlier steps have ended, since each of them uses the slot of this process. */
  #next (step: () => Promise<void>): Promise<void> {
    this.#pending = this.#pending.then(step)
    return this.#pending
  }

  async #join (): Promise<void> {
    await this.#try('its state cannot be read', async (store) => {
      const salt = this.#parts.salt ?? await store.salt(randomBytes(32).toString('base64url'))
      const earlier = await this.#take(store, salt)
      if (!this.#isClosed) await this.#parts.observe(salt, earlier)
      this.#salt = salt
    })
  }

  /** Takes a slot, if one is free; returns the state that an earlier process left in it. */
  async #take (store: AdviceStore, salt: string): Promise<AdviceState | undefined> {
    const place = await store.take(this.#processId, LEASE_MS)
    this.#slot = place?.slot
    if (place === undefined) this.#say(`its state is not kept, and not in the reports of other processes: ${ADVICE_SLOTS} of them have all places of the store`)
    return place?.state === undefined ? undefined : this.#unpack(place.state, salt)
  }

  async #write (): Promise<void> {
    await this.#try('its state cannot be stored', async (store) => {
      if (this.#slot === undefined) {
        if (this.#isClosed) return
        const earlier = await this.#take(store, this.#salt!)
        // The slot has the state of a process that has ended, which may cover weeks. It is continued in place of the observation of this
        // process so far, which had no slot.
        if (earlier !== undefined) return this.#parts.observe(this.#salt, earlier)
      }
      const state = this.#parts.state()
      if (this.#slot === undefined || state === undefined) return
      if (await store.write(this.#slot, this.#processId, await packState(state), LEASE_MS)) return
      // The lease has expired, and another process that has taken the slot continues the state in it. This process therefore joins anew,
      // without its state so far, since no access must count twice.
      this.#slot = undefined
      if (!this.#isClosed) await this.#join()
    })
  }

  async #unpack (bytes: Uint8Array, salt = this.#salt!): Promise<AdviceState | undefined> {
    const state = await unpackState(bytes, { saltName: nameOfSalt(salt), entries: this.#parts.entries })
    if (typeof state !== 'string') return state
    this.#say(`a stored state is not used: ${state}`)
    return undefined
  }

  async #try (what: string, step: (store: AdviceStore) => Promise<void>): Promise<void> {
    try {
      await step(this.#parts.store!)
    } catch (error) {
      this.#say(`${what}: ${error instanceof Error ? error.message : 'an unknown error'}`)
    }
  }

  /** Logs a message; a repeated message is logged once. */
  #say (message: string): void {
    if (this.#said.has(message)) return
    this.#said.add(message)
    this.#parts.warn(`Cache advisor: ${message}`)
  }
}
