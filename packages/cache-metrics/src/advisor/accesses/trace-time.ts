/** A time in which a process observed: its beginning and end, in milliseconds since 1970. */
export type Span = readonly [from: number, to: number]

/** The time of a trace, which passes only while at least one process observes, and not while all processes are down. */
export class TraceTime {
  /** The spans in which a process observed, without overlaps, each with the milliseconds of the trace before it. */
  readonly #spans: { from: number, to: number, before: number }[] = []
  #last = 0

  constructor (spans: readonly Span[]) {
    for (const [from, to] of [...spans].sort(([a], [b]) => a - b)) {
      const last = this.#spans.at(-1)
      if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to)
      else this.#spans.push({ from, to, before: last === undefined ? 0 : last.before + last.to - last.from })
    }
  }

  /** The length of the whole trace in milliseconds. */
  get length (): number { return this.at(Infinity) }

  /** Returns the time of the trace, in milliseconds, for a time in milliseconds since 1970. Calls with ascending times need no search. */
  at (time: number): number {
    if (this.#spans.length === 0) return 0
    if (time < this.#spans[this.#last]!.from) this.#last = 0
    while (this.#last + 1 < this.#spans.length && this.#spans[this.#last + 1]!.from <= time) this.#last++
    const { from, to, before } = this.#spans[this.#last]!
    return before + Math.min(Math.max(time, from), to) - from
  }
}
