import { setImmediate } from 'node:timers/promises'

// A slice that takes a noticeable part of a millisecond.
const LONG = 10_000

/** A page of metrics that grows slice by slice; between two long ones the event loop goes on. */
export class Page {
  // Encoded at once: one text of a megabyte would be copied again and again on its way out.
  readonly #slices: Buffer[] = []

  /** Adds a metric, whose last line has no line feed. */
  async add (metric: Iterable<string>): Promise<void> {
    if (this.#slices.length > 0) this.#slices.push(Buffer.from('\n\n'))
    for (const slice of metric) {
      this.#slices.push(Buffer.from(slice))
      if (slice.length > LONG) await setImmediate()
    }
  }

  toBuffer (): Buffer {
    return Buffer.concat([...this.#slices, Buffer.from('\n')])
  }
}
