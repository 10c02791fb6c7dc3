import type { ByteReader, ByteWriter } from './bytes.js'

/**
 * The lengths of the windows in minutes. Each divides the next one. A window begins again when its length has passed, so a change that comes
 * late in a stage is soon alone in a window, while the sums of the whole stage dilute it. Twenty minutes show a sudden large change, two hours
 * and a day show what few requests show only slowly.
 */
export const WINDOW_MINUTES = [20, 120, 1440] as const

/** Sums that can be added to one another. */
export interface Addable<S> {
  add (other: S): void
  clear (): void
  write (writer: ByteWriter): void
  read (reader: ByteReader): void
}

/**
 * The sums of a stage by windows. A minute is added to the sums of the shortest window. When a window ends, its sums are added to those of the
 * next longer window, and at last to those of the stage: so a minute costs one addition, and the windows need little room.
 */
export class WindowedSums<S extends Addable<S>> {
  readonly #create: () => S
  /** By window those minutes that no shorter window has; the last are those of the stage. */
  readonly #levels: readonly S[]

  constructor (create: () => S) {
    this.#create = create
    this.#levels = [...WINDOW_MINUTES, 0].map(create)
  }

  /** The sums that the next minute is added to. */
  get current (): S { return this.#levels[0]! }

  /** Ends the windows that are complete; called before a minute is added. */
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

  /** The sums of each window, the shortest first; the last are those of the whole stage. */
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

  /** Reads what `write` wrote. @throws `Malformed` for other bytes */
  read (reader: ByteReader): void {
    for (const level of this.#levels) level.read(reader)
  }
}

/** The minutes that a window has after some minutes of its stage. */
export function minutesOfWindow (length: number, minutes: number): number {
  return minutes === 0 ? 0 : (minutes - 1) % length + 1
}
