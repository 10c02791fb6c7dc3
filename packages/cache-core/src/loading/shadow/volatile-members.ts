import { ownText } from '../../lib/own-text.js'
import { differences } from './differences.js'
import { comparable, isSame, sizeOf, type Form } from './form.js'

/** The maximum number of keys whose loaded values are remembered. */
const MAX_KEYS = 256
const MAX_BYTES = 2 * 1024 * 1024
/**
 * Milliseconds after which a remembered value that no further load was compared with may be replaced, once the maximum number or size is
 * reached.
 */
const MAX_WAIT_MS = 60_000
/** The maximum number of members per key pattern for which it is counted how often they differ. */
const MAX_MEMBERS = 16
/**
 * The minimum evidence by which a member is judged: 2 repeated differences for the result that it differs on every load, 3 pieces of
 * evidence of either kind for the opposite result.
 */
const MIN_VOLATILE = 2
const MIN_SETTLED = 3
/** The minimum share of repeated differences in the evidence about a member, for the result that it differs on every load. */
const VOLATILE_SHARE = 0.9

/** A loaded value that differed from the cache's entry, and the paths of the members that differed. */
interface Differing { readonly entryPrint: string; readonly form: Form; readonly paths: readonly string[]; readonly at: number }

/**
 * Evidence about a member of a value that differed between the cache's entry and one load: whether it also differed between this load and
 * the next load.
 */
export interface Evidence { readonly path: string; readonly isAgain: boolean }

/**
 * Finds the members that differ on every load, such as a timestamp or a request id. A value that has changed in its source also differs
 * from the entry, but the next load returns it unchanged. A member therefore counts as volatile if it nearly always differs again between
 * two loads, while the same entry stays in place, so that nothing was invalidated.
 */
export class VolatileMembers {
  readonly #patterns = new Map<string, Map<string, { again: number; settled: number }>>()
  readonly #last = new Map<string, Differing>()
  readonly #now: () => number
  #bytes = 0

  constructor (now: () => number) {
    this.#now = now
  }

  /**
   * Remembers a loaded value that differed from its entry; returns the evidence from the load before, if that load differed from the same
   * entry.
   */
  differ (key: string, entryPrint: string, form: Form, paths: readonly string[]): Evidence[] {
    const last = this.#last.get(key)
    this.forget(key)
    this.#remember(key, { entryPrint, form, paths, at: this.#now() })
    if (last === undefined || last.entryPrint !== entryPrint) return []
    const changed = isSame(last.form, form) ? [] : differences(comparable(last.form), comparable(form))
    return last.paths.map((path) => ({ path, isAgain: changed.includes(path) }))
  }

  /**
   * Remembers a loaded value in place of values that are older than `MAX_WAIT_MS`. If no value is that old, the new value is not
   * remembered, so that earlier keys keep their place until their next load.
   */
  #remember (key: string, last: Differing): void {
    const bytes = sizeOf(last.form)
    for (const [oldest, { at }] of this.#last) {
      if (this.#last.size < MAX_KEYS && this.#bytes + bytes <= MAX_BYTES) break
      if (last.at - at < MAX_WAIT_MS) return
      this.forget(oldest)
    }
    this.#last.set(ownText(key), last)
    this.#bytes += bytes
  }

  forget (key: string): void {
    const last = this.#last.get(key)
    if (last === undefined) return
    this.#last.delete(key)
    this.#bytes -= sizeOf(last.form)
  }

  /** Adds evidence about members that differ; to be called only if no invalidation came between the two loads. */
  learn (keyPattern: string, evidence: readonly Evidence[]): void {
    if (evidence.length === 0) return
    let members = this.#patterns.get(keyPattern)
    if (members === undefined) this.#patterns.set(keyPattern, members = new Map())
    for (const { path, isAgain } of evidence) {
      let member = members.get(path)
      if (member === undefined) {
        if (members.size >= MAX_MEMBERS) continue
        members.set(path, member = { again: 0, settled: 0 })
      }
      if (isAgain) member.again++
      else member.settled++
    }
  }

  /** Returns whether a member differs on every load; `undefined`: not enough loads were seen. */
  isVolatile (keyPattern: string, path: string): boolean | undefined {
    const member = this.#patterns.get(keyPattern)?.get(path)
    if (member === undefined) return undefined
    const { again, settled } = member
    if (again >= MIN_VOLATILE && again >= VOLATILE_SHARE * (again + settled)) return true
    return again + settled >= MIN_SETTLED ? false : undefined
  }
}
