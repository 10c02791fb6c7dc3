/** The maximum number of processes whose states an advice store has. */
export const ADVICE_SLOTS = 16

/** The place of a process in an advice store, with the state that an earlier process left there. */
export interface AdvicePlace { readonly slot: number; readonly state: Uint8Array | undefined }

/**
 * Where the processes of an app keep the states of their advisors: in slots, of which each process takes one with a lease. Every method
 * rejects while the store cannot be reached, and after a limited time at the latest.
 */
export interface AdviceStore {
  /** Returns the secret that all processes salt their hashes with; the first caller's proposal is stored. */
  salt (proposed: string): Promise<string>
  /** Takes a free slot for `leaseMs`; `undefined`: other processes have all of them. */
  take (processId: string, leaseMs: number): Promise<AdvicePlace | undefined>
  /** Replaces the state in a slot and extends the lease; `false`: another process has taken the slot, and nothing was stored. */
  write (slot: number, processId: string, state: Uint8Array, leaseMs: number): Promise<boolean>
  /** Frees a slot; its state stays for the next process. */
  release (slot: number, processId: string): Promise<void>
  /** Returns the states in all slots but one, of present and of earlier processes. */
  others (than: number | undefined): Promise<Uint8Array[]>
}

/** The advice store that an implementation shares with the advisor of an app. */
export class SharedAdvice {
  /** The store; `undefined`: the implementation has none. */
  store: AdviceStore | undefined
  /** Stores the state a last time, and frees its slot. The advisor sets it; who provides the store calls it before the store ends. */
  leave: () => Promise<void> = async () => {}
}
