import { randomUUID } from 'node:crypto'
import type { Stats } from 'node:fs'
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { AdvicePlace, AdviceStore } from '@x/cache-core/suite'

/** The first line of the file contains this name, then the salt, or a dash if the app gives the salt. */
const NAME = 'cache-advice-1'
const NO_SALT = '-'
/** The maximum length of the file's first line, in bytes. */
const MAX_HEAD = 200
const MAX_BYTES = 16 * 1024 * 1024
const FOREIGN = 'the file is none of the advisor, and stays as it is'

/**
 * The store for the advisor's state of one process, in a file that only the user of the process may read. A file of another kind, or one
 * that another process writes all the time, is not changed.
 */
export class FileStore implements AdviceStore {
  readonly #file: string
  #salt = NO_SALT
  /** The time at which this process last changed the file; 0: it has not changed the file. */
  #changedAt = 0
  /** Whether this process has found a state of another process in the file, in place of its own. */
  #hasYielded = false

  constructor (file: string) {
    this.#file = file
  }

  async salt (proposed: string): Promise<string> {
    const found = await this.#read()
    this.#salt = found === undefined || found.salt === NO_SALT ? proposed : found.salt
    return this.#salt
  }

  async take (): Promise<AdvicePlace> {
    const found = await this.#read()
    this.#changedAt = found?.changedAt ?? 0
    return { slot: 0, state: found?.state }
  }

  /**
   * Replaces the state in the file. `false`: another process has written to it, and this process should continue the state in the file.
   * The first foreign write is answered by `false`, since a process that is being replaced writes its last state after its successor has
   * started. A later foreign write is answered by `false` if it is older than `leaseMs`.
   * @throws if another process writes to the file all the time
   */
  async write (_slot: number, _processId: string, state: Uint8Array, leaseMs: number): Promise<boolean> {
    const changedAt = (await this.#stat())?.mtimeMs
    if (changedAt !== undefined && changedAt !== this.#changedAt) {
      // A file of another kind is not continued, and the error says so.
      await this.#read()
      if (this.#hasYielded && Date.now() - changedAt < leaseMs) throw new Error('another process writes to the file, too: give each process a file of its own')
      this.#hasYielded = true
      return false
    }
    const temporary = `${this.#file}.${randomUUID()}.tmp`
    try {
      await writeFile(temporary, Buffer.concat([Buffer.from(`${NAME} ${this.#salt}\n`), state]), { mode: 0o600, flag: 'wx' })
      await rename(temporary, this.#file)
    } catch (error) {
      // The unfinished temporary file is removed. On a full disk, another unfinished file would otherwise be added every few minutes.
      await rm(temporary, { force: true })
      throw error
    }
    this.#changedAt = (await this.#stat())?.mtimeMs ?? 0
    return true
  }

  async release (): Promise<void> {
    // A file has no lease, so there is nothing to release.
  }

  async others (): Promise<Uint8Array[]> {
    return []
  }

  async #read (): Promise<{ salt: string, state: Uint8Array, changedAt: number } | undefined> {
    const stats = await this.#stat()
    if (stats === undefined) return undefined
    if (!stats.isFile()) throw new Error(FOREIGN)
    const bytes = await readFile(this.#file)
    const end = bytes.indexOf('\n')
    const [name, salt, ...more] = end > MAX_HEAD ? [] : bytes.subarray(0, Math.max(0, end)).toString('latin1').split(' ')
    if (name !== NAME || salt === undefined || more.length > 0) throw new Error(FOREIGN)
    return { salt, state: bytes.subarray(end + 1), changedAt: stats.mtimeMs }
  }

  /** Returns the file's status; `undefined`: there is no file. */
  async #stat (): Promise<Stats | undefined> {
    try {
      const stats = await stat(this.#file)
      if (stats.size > MAX_BYTES) throw new Error(FOREIGN)
      return stats
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }
}
