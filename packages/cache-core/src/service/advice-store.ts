/** The maximum number of slots of an advice store: each slot has the advisor's state of one process. */
export const ADVICE_SLOTS = 16

/** The place of a process in an advice store, with the state that an earlier process left there. */
export interface AdvicePlace { readonly slot: number; readonly state: Uint8Array | undefined }

/**
 * Where the processes of an app store the states of their advisors, in slots. Each process takes one slot with a lease. Every method
 * rejects while the store cannot be reached, and after a limited time at the latest.
 */
export interface AdviceStore {
  /** Returns the secret that all processes salt their hashes with; the first caller's proposal is stored. */
  salt (proposed: string): Promise<string>
  /** Takes a free slot for `leaseMs`; `undefined`: other processes have all slots. */
  take (processId: string, leaseMs: number): Promise<AdvicePlace | undefined>
  /** Replaces the state in a slot and extends the lease; `false`: another process has taken the slot, and nothing was stored. */
  write (slot: number, processId: string, state: Uint8Array, leaseMs: number): Promise<boolean>
  /** Frees a slot of the advice store; the state in it stays for the next process that takes the slot. */
  release (slot: number, processId: string): Promise<void>
  /** Returns the states of the advisors in all slots except one, including those of processes that have ended. */
  others (than: number | undefined): Promise<Uint8Array[]>
}

/** The advice store that an implementation shares with the advisor of an app. */
export class SharedAdvice {
  /** The advice store of the implementation; `undefined`: the implementation has none. */
  store: AdviceStore | undefined
  /**
   * Stores the advisor's state a last time, and frees its slot. The advisor sets this function; the package that provides the store calls
   * it before it closes the store.
   */
  leave: () => Promise<void> = async () => {}
}
