/** The result of {@link Slot.read} for an object of Fastify without the private property. */
export const NONE = Symbol('no slot')

/** One private property of Fastify's objects, found by the description of its symbol, since each copy of Fastify has its own symbols. */
export class Slot {
  /** The symbol of the private property in the object that was read last, for a fast first try. */
  last: symbol = NONE
  readonly #description: string

  constructor (description: string) {
    this.#description = description
  }

  /** The symbol of the private property; `undefined`: this version of Fastify has no such property. */
  in (owner: object): symbol | undefined {
    if (this.last in owner) return this.last
    const slot = Object.getOwnPropertySymbols(owner).find((symbol) => symbol.description === this.#description)
    if (slot !== undefined) this.last = slot
    return slot
  }

  read (owner: object): unknown {
    const slot = this.in(owner)
    return slot === undefined ? NONE : (owner as Record<symbol, unknown>)[slot]
  }
}
