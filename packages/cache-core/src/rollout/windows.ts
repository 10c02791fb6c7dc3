import type { ByteReader, ByteWriter } from './bytes.js'

/**
 * The lengths of the windows of a stage in minutes; each length divides the next. A window starts again when its length has passed, so that
 * a window soon shows a change that occurs late in a stage, while the sums of the whole stage dilute that change. Twenty minutes show a
 * sudden large change; two hours and a day show a change that needs more requests.
 */
export const WINDOW_MINUTES = [20, 120, 1440] as const

/** Sums of counts to which other sums of the same kind can be added. */
export interface Addable<S> {
  add (other: S): void
  clear (): void
  write (writer: ByteWriter): void
  read (reader: ByteReader): void
}

/**
 * The sums of a canary's stage for each of its windows. The counts of a minute are added to the shortest window only. When a window ends,
 * its sums are added to the next longer window, and finally to the sums of the stage. A minute therefore costs one addition, and no counts
 * are stored per minute.
 */
export class WindowedSums<S extends Addable<S>> {
  readonly #create: () => S
  /** For each window the sums of the minutes that no shorter window contains; the last element has the earlier minutes of the stage. */
  readonly #levels: readonly S[]

  constructor (create: () => S) {
    this.#create = create
    this.#levels = [...WINDOW_MINUTES, 0].map(create)
  }

  /** The sums to which the counts of the next minute are added: those of the shortest window. */
  get current (): S { return this.#levels[0]! }

  /** Ends the windows of the stage whose length has passed; called before the counts of a minute are added. */
  roll (minutesBefore: number): void {
    if (minutesBefore === 0) return
    for (const [at, length] of WINDOW_MINUTES.entries()) {
      if (minutesBefore % length !== 0) return
      this.#levels[at + 1]!.add(this.#levels[at]!)
      this.#levels[at]!.clear()
    }
  }

  clear (): void {
    for (const level of this.#levels) level.clear()
  }

  /** Returns the sums of each window of the stage, the shortest first; the last element has the sums of the whole stage. */
  sums (): S[] {
    let shorter: S | undefined
    return this.#levels.map((level) => {
      const sum = this.#create()
      sum.add(level)
      if (shorter !== undefined) sum.add(shorter)
      shorter = sum
      return sum
    })
  }

  write (writer: ByteWriter): void {
    for (const level of this.#levels) level.write(writer)
  }

  /**
   * Reads the sums of the windows that `write` wrote.
   * @throws `Malformed` for other bytes
   */
  read (reader: ByteReader): void {
    for (const level of this.#levels) level.read(reader)
  }
}

/** Returns the number of minutes that the current window of a length contains, after a number of minutes of its stage. */
export function minutesOfWindow (length: number, minutes: number): number {
  return minutes === 0 ? 0 : (minutes - 1) % length + 1
}
