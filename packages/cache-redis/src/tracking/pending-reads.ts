/**
 * A pending read of a Redis key. `isOutdated`: the value may have changed since the read was sent, so the reply to the read is not
 * remembered.
 */
export interface PendingRead { readonly name: string; isOutdated: boolean }

/**
 * The reads that have no reply yet. A message about a key makes the pending reads of the key outdated. Otherwise a slow reply would bring
 * an old value back after the message that removed it.
 */
export class PendingReads {
  readonly #reads = new Map<string, Set<PendingRead>>()

  /** Records that a read of a Redis key begins; call it before the command is sent. */
  begin (name: string): PendingRead {
    const read: PendingRead = { name, isOutdated: false }
    const reads = this.#reads.get(name)
    if (reads === undefined) this.#reads.set(name, new Set([read]))
    else reads.add(read)
    return read
  }

  /** Ends a read of a Redis key; returns whether its reply may be remembered: no message about the key has arrived since the read began. */
  end (read: PendingRead): boolean {
    const reads = this.#reads.get(read.name)
    if (reads?.delete(read) === true && reads.size === 0) this.#reads.delete(read.name)
    return !read.isOutdated
  }

  outdate (name: string): void {
    const reads = this.#reads.get(name)
    if (reads !== undefined) for (const read of reads) read.isOutdated = true
  }

  outdateAll (): void {
    for (const reads of this.#reads.values()) {
      for (const read of reads) read.isOutdated = true
    }
  }
}
