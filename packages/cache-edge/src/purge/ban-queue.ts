import { setTimeout as sleep } from 'node:timers/promises'
import { EVERYTHING, MAX_TAGS_PER_BAN } from './varnish.js'

/** What a queue is made with. */
export interface BanQueueSettings {
  readonly attempts: number
  readonly againAfterMs: number
  readonly now: () => number
  /** Why the proxy did not take them; `undefined`: it did. Never rejects. */
  readonly ban: (tags: readonly string[]) => Promise<string | undefined>
  /** So many tags were given up. */
  readonly lost: (count: number, why: string) => void
}

/** One tag that the proxy is to hear of. */
interface Ban {
  readonly tag: string
  /** It was said before. */
  readonly isAgain: boolean
  /** It was given up, and counted. */
  isLost: boolean
  /** When it is to be said again. */
  readonly dueAt: number
}

const FIRST_RETRY_MS = 100
// Others wait behind it: doubled twenty times, a pause would last for hours.
const MAX_RETRY_MS = 5000
const MAX_BANS = 10_000

/**
 * What one proxy has yet to hear: at once, and once more when every process has heard. One request at a time; what comes
 * meanwhile waits, each tag once, and goes together. What does not fit becomes one ban of everything, which covers it.
 */
export class BanQueue {
  readonly #settings: BanQueueSettings
  readonly #waiting = new Map<string, Ban>()
  /** To be said once more, in the order in which they are due. No tag of `#waiting`. */
  readonly #later = new Map<string, Ban>()
  readonly #closing = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #sending: Promise<void> | undefined

  constructor (settings: BanQueueSettings) {
    this.#settings = settings
  }

  add (tags: readonly string[]): void {
    for (const tag of tags) this.#add(tag)
    this.#start()
  }

  /** Resolves when what waits has been said once or given up; what was to be said again is not. */
  async close (): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#timer)
    this.#later.clear()
    for (const { tag, isAgain } of this.#waiting.values()) if (isAgain) this.#waiting.delete(tag)
    await this.#sending
  }

  #add (tag: string): void {
    if (this.#waiting.get(EVERYTHING)?.isAgain === false) return
    // The second time of an earlier call is that of this one, too: it is said now, and once more.
    const isKnown = this.#later.delete(tag) || this.#waiting.has(tag)
    const isFull = !isKnown && this.#waiting.size + this.#later.size >= MAX_BANS
    if (isFull || tag === EVERYTHING) {
      this.#waiting.clear()
      this.#later.clear()
    }
    const said = isFull ? EVERYTHING : tag
    this.#waiting.set(said, { tag: said, isAgain: false, isLost: false, dueAt: 0 })
  }

  #start (): void {
    if (this.#sending !== undefined || this.#waiting.size === 0) return
    // A logger that throws must not end the process.
    this.#sending = this.#sendAll().catch(() => {}).finally(() => {
      this.#sending = undefined
      this.#start()
    })
  }

  async #sendAll (): Promise<void> {
    while (this.#waiting.size > 0) {
      const bans = this.#take()
      const why = await this.#send(bans.map(({ tag }) => tag))
      if (why !== undefined) this.#giveUp(bans, why)
      for (const ban of bans) this.#sayLater(ban)
    }
  }

  /** What goes next. Taken out before it is sent: what is added meanwhile is not covered by what is on its way. */
  #take (): Ban[] {
    const everything = this.#waiting.get(EVERYTHING)
    const bans = everything === undefined ? [...this.#waiting.values()].slice(0, MAX_TAGS_PER_BAN) : [everything]
    for (const { tag } of bans) this.#waiting.delete(tag)
    return bans
  }

  async #send (tags: readonly string[]): Promise<string | undefined> {
    const { signal } = this.#closing
    for (let attempt = 1; ; attempt++) {
      const why = await this.#settings.ban(tags)
      if (why === undefined || attempt === this.#settings.attempts || signal.aborted) return why
      await sleep(Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), MAX_RETRY_MS), undefined, { signal }).catch(() => {})
    }
  }

  #giveUp (bans: Ban[], why: string): void {
    // One attempt each for all that waits would take as long as the proxy is away.
    if (this.#closing.signal.aborted) {
      bans = [...bans, ...this.#waiting.values()]
      this.#waiting.clear()
    }
    const lost = bans.filter(({ isLost }) => !isLost)
    for (const ban of lost) ban.isLost = true
    if (lost.length > 0) this.#settings.lost(lost.length, why)
  }

  #sayLater (ban: Ban): void {
    const { againAfterMs, now } = this.#settings
    if (ban.isAgain || againAfterMs === 0 || this.#closing.signal.aborted || this.#waiting.has(ban.tag)) return
    this.#later.set(ban.tag, { ...ban, isAgain: true, dueAt: now() + againAfterMs })
    this.#timer ??= this.#wake(againAfterMs)
  }

  #wake (ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#sayDue(), ms).unref()
  }

  #sayDue (): void {
    this.#timer = undefined
    const now = this.#settings.now()
    for (const ban of this.#later.values()) {
      if (ban.dueAt > now) {
        this.#timer = this.#wake(ban.dueAt - now)
        break
      }
      this.#later.delete(ban.tag)
      this.#waiting.set(ban.tag, ban)
    }
    this.#start()
  }
}
