import { LoadedManyInvalid } from '../contract/errors.js'
import type { LoadContext, LoadManyContext, LoadedMany, Loader, ManyLoader } from '../contract/loader.js'
import { inSlices } from '../lib/slices.js'
import type { Load } from './load.js'
import { LoadScope, type LoadScopes } from './load-scope.js'

/** The load of one key that waits for the batch, with the loader run that it belongs to. */
interface Member<T> {
  readonly load: Load
  readonly scope: LoadScope | undefined
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
}

/**
 * One load for all keys of a call of `getOrSetMany`. Each key has a flight of its own, whose loader waits for the batch. The batch begins
 * once it is known of each key whether it needs a load. A key that waits for another flight of the same key, or for its lock, does not
 * delay the batch; if it needs a load afterwards, a later batch loads it.
 */
export class LoadBatch<T> {
  readonly #loadMany: ManyLoader<T>
  readonly #scopes: LoadScopes | undefined
  /** Keys of which it is not known yet whether they need a load of this batch. */
  readonly #undecided: Set<string>
  /** Keys whose stored value was served, and whose load in the background has not run its loader yet. */
  readonly #held = new Set<string>()
  #members: Member<T>[] = []
  #isScheduled = false

  /**
   * Makes the batch of some keys.
   * @param scopes finds the loader run in which a load begins, so that a batch that waits for itself is detected; `undefined`: no other
   * call joins the loads
   */
  constructor (keys: readonly string[], loadMany: ManyLoader<T>, scopes?: LoadScopes) {
    this.#undecided = new Set(keys)
    this.#loadMany = loadMany
    this.#scopes = scopes
  }

  /** The loader for each key of the batch: it waits for the batch, and returns the batch's value for the key. */
  readonly loader: Loader<T> = (context: LoadContext) => new Promise<T>((resolve, reject) => {
    const load = context as Load
    this.#members.push({ load, scope: this.#scopes?.entered, resolve, reject })
    if (this.#undecided.size > 0) this.leave(load.key)
    else this.#beginLater()
  })

  /** Records that the batch does not wait for this key. */
  leave (key: string): void {
    if (this.#undecided.delete(key) && this.#undecided.size === 0) this.#begin()
  }

  /** Records that a load of the key has begun in the background. The batch waits for the loader of that load until `ended` settles. */
  hold (key: string, ended: Promise<unknown>): void {
    this.#held.add(key)
    const end = (): void => {
      this.#held.delete(key)
      this.leave(key)
    }
    ended.then(end, end)
  }

  /**
   * Records the call of `getOrSet` for one of the keys. When the call settles, the key needs no load of the batch, unless a load in the
   * background has begun.
   */
  follow (key: string, call: Promise<T>): Promise<T> {
    const end = (): void => { if (!this.#held.has(key)) this.leave(key) }
    call.then(end, end)
    return call
  }

  /** Begins a further batch for keys whose loaders run after the first batch began; loaders of the same turn of the event loop share it. */
  #beginLater (): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#begin()
    })
  }

  #begin (): void {
    const members = this.#members
    if (members.length === 0) return
    this.#members = []
    const keys = [...new Set(members.map(({ load }) => load.key))]
    for (const { load } of members) load.sharers = keys.length
    const scope = new BatchScope(members.flatMap((member) => member.scope ?? []))
    void this.#load(keys, members, scope).then((loaded) => {
      scope.end()
      // The loaders return their values in slices, a few hundred per turn of the event loop: each value is stored at once, and thousands of
      // stores at once would exceed their time limits.
      return inSlices(members, ({ load, resolve }) => { resolve(loaded.get(load.key) as T) })
    }, (error: unknown) => {
      scope.end()
      return inSlices(members, ({ reject }) => { reject(error) })
    })
  }

  async #load (keys: string[], members: readonly Member<T>[], scope: BatchScope): Promise<ReadonlyMap<string, T | undefined>> {
    const load = (): LoadedMany<T> | Promise<LoadedMany<T>> => this.#loadMany([...keys], new BatchContext(members))
    return byKey(keys, await (this.#scopes === undefined ? load() : this.#scopes.run(scope, load)))
  }
}

/** Returns the values that a loader of several keys returned, as a Map by key. */
function byKey<T> (keys: readonly string[], loaded: LoadedMany<T>): ReadonlyMap<string, T | undefined> {
  // The app's Map may throw, for example if it is a proxy. The values are read here, so that such an error is the error of the load.
  if (loaded instanceof Map) return new Map(keys.map((key) => [key, (loaded as ReadonlyMap<string, T>).get(key)]))
  if (!Array.isArray(loaded)) throw new LoadedManyInvalid(loaded === null ? 'null' : typeof loaded)
  if (loaded.length !== keys.length) throw new LoadedManyInvalid(`an array of ${loaded.length} values for ${keys.length} keys`)
  return new Map(keys.map((key, at) => [key, (loaded as readonly (T | undefined)[])[at]]))
}

/** The second argument of the loader that `getOrSetMany` calls. */
class BatchContext<T> implements LoadManyContext {
  readonly #members: readonly Member<T>[]
  #signal: AbortSignal | undefined

  constructor (members: readonly Member<T>[]) {
    this.#members = members
  }

  // All loads of a batch have the same time limit, so the first one to exceed it aborts the batch.
  get signal (): AbortSignal {
    return (this.#signal ??= AbortSignal.any(this.#members.map(({ load }) => load.signal)))
  }

  /**
   * Returns a function that marks the value of a key as not to be stored. The function needs no `this`, so that a loader may destructure
   * its argument.
   */
  get skip (): (key: string) => void {
    return (key) => {
      for (const { load } of this.#members) if (load.key === key) load.skip()
    }
  }
}

/** The run of a loader of several keys, for which the runs of all its keys wait. */
class BatchScope extends LoadScope {
  readonly #members: readonly LoadScope[]

  constructor (members: readonly LoadScope[]) {
    super('', undefined)
    this.#members = members
    for (const member of members) member.await(this)
  }

  override end (): void {
    super.end()
    for (const member of this.#members) member.unawait(this)
  }

  override isRecursion (key: string): boolean {
    return this.#members.some((member) => member.isRecursion(key))
  }

  override get isInsideLock (): boolean {
    return this.#members.some((member) => member.isInsideLock)
  }
}
