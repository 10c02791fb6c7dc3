import { AsyncLocalStorage } from 'node:async_hooks'

/** One run of a loader (a scope), with the runs that it waits for. A cycle in the graph of these runs is a load that waits for itself. */
export class LoadScope {
  isOver = false
  /** Whether this loader run holds the lock of its key, so that no run inside it may wait for another lock. */
  holdsLock = false
  #awaited: Set<LoadScope> | undefined

  /**
   * Records that the loader run `parent` waits for the new run.
   * @param parent the run whose loader asked for this run and waits for it
   * @param isUnshared whether no other call joins the run. Such a run is made for a call whose key has a load that waits for the call: if
   * the call waited for that load, neither would end.
   */
  constructor (readonly key: string, readonly parent: LoadScope | undefined, readonly isUnshared = false) {
    parent?.await(this)
  }

  /** Records that this loader run waits for another run, until `unawait` is called or the other run ends. */
  await (other: LoadScope): void {
    (this.#awaited ??= new Set()).add(other)
  }

  unawait (other: LoadScope): void {
    this.#awaited?.delete(other)
  }

  end (): void {
    this.isOver = true
    this.parent?.unawait(this)
  }

  /** Whether this loader run is `other`, or waits for it, directly or through further runs. */
  reaches (other: LoadScope, seen = new Set<LoadScope>()): boolean {
    if (this === other) return true
    if (this.isOver || this.#awaited === undefined || seen.has(this)) return false
    seen.add(this)
    for (const awaited of this.#awaited) if (awaited.reaches(other, seen)) return true
    return false
  }

  /**
   * Whether this loader run, or a run around it, is a run of the key whose value no other call shares: a further run would make the loaders
   * call one another without end.
   */
  isRecursion (key: string): boolean {
    return (this.isUnshared && this.key === key) || this.parent?.isRecursion(key) === true
  }

  /** Whether this loader run, or a run around it, holds the lock of a load. */
  get isInsideLock (): boolean {
    return this.holdsLock || this.parent?.isInsideLock === true
  }
}

/**
 * Whether AsyncLocalStorage uses AsyncContextFrame: from Node 24 on, unless a flag disables it. In earlier versions AsyncLocalStorage
 * makes every promise of the process about three times as slow while it is in use.
 */
function isAsyncContextCheap (): boolean {
  const flags = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(' ')]
  return Number.parseInt(process.versions.node, 10) >= 24 && !flags.includes('--no-async-context-frame')
}

/**
 * Finds the loader run that a call of `getOrSet` is made in. In the synchronous part of a loader the search costs nothing. After an `await`
 * the run is found where AsyncLocalStorage is cheap, and otherwise only for suspected runs, which replace a run that passed its time limit.
 */
export class LoadScopes {
  /** The loader run that is executing its synchronous part now, before its first `await`; `undefined`: none. */
  entered: LoadScope | undefined
  readonly #storage = new AsyncLocalStorage<LoadScope>()
  readonly #isAlwaysTracked: boolean
  #tracked = 0

  constructor (isAlwaysTracked = isAsyncContextCheap()) {
    this.#isAlwaysTracked = isAlwaysTracked
  }

  /** Runs a loader as the given loader run (scope), so that calls inside it find this run; returns its result. */
  run<T> (scope: LoadScope, load: () => T): T {
    const before = this.entered
    this.entered = scope
    try {
      return this.#isTracking ? this.#storage.run(scope, load) : load()
    } finally {
      this.entered = before
    }
  }

  /**
   * Begins to track loader runs: until the returned function is called, runs that begin are found even after their first `await`. Called
   * before a suspected loader run, which replaces a run that passed its time limit and may wait for itself.
   */
  track (): () => void {
    this.#tracked++
    let isTracking = true
    return () => {
      if (!isTracking) return
      isTracking = false
      // Without a suspected loader run AsyncLocalStorage is disabled, so that promises are cheap again.
      if (--this.#tracked === 0 && !this.#isAlwaysTracked) this.#storage.disable()
    }
  }

  /**
   * Returns the loader run that a call of `getOrSet` is made in.
   * @param entered the property `entered` as it was when the call was made
   */
  of (entered: LoadScope | undefined): LoadScope | undefined {
    const scope = entered ?? (this.#isTracking ? this.#storage.getStore() : undefined)
    return scope === undefined || scope.isOver ? undefined : scope
  }

  get #isTracking (): boolean { return this.#isAlwaysTracked || this.#tracked > 0 }
}
