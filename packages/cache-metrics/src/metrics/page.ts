import { setImmediate } from 'node:timers/promises'

// The length in characters from which on encoding a slice of text takes a noticeable part of a millisecond.
const LONG = 10_000

/** A page with metrics, made of slices of text; the event loop runs between two long slices. */
export class Page {
  // Each slice of text is encoded when it is added, since a page of a megabyte in one string would be copied several times when it is sent.
  readonly #slices: Buffer[] = []

  /** Adds the text of a metric to the page in slices; the last line of the text has no line feed. */
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
