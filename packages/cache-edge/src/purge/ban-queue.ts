import { setTimeout as sleep } from 'node:timers/promises'
import { EVERYTHING, MAX_TAGS_PER_BAN } from './varnish.js'

/** Settings of the queue of bans for one Varnish. */
export interface BanQueueSettings {
  readonly attempts: number
  readonly againAfterMs: number
  readonly now: () => number
  /**
   * Sends one ban (the order to remove all objects with a tag). Resolves with the reason why the proxy did not accept the ban; `undefined`:
   * the proxy accepted it. Never rejects.
   */
  readonly ban: (tags: readonly string[]) => Promise<string | undefined>
  /** Called with the number of tags whose bans were given up, and with the reason. */
  readonly lost: (count: number, why: string) => void
}

/** One tag for which a ban is sent to the proxy. */
interface Ban {
  readonly tag: string
  /**
   * Whether the ban of the tag is sent for the second time. Each tag is banned twice, since the proxy may store a response that the app
   * made before the first ban, but that arrived after it.
   */
  readonly isAgain: boolean
  /** Whether the ban of the tag was given up and counted as lost. */
  isLost: boolean
  /** The time before which the tag's second ban is not sent, in milliseconds of `now`; 0 for the first ban. */
  readonly dueAt: number
}

const FIRST_RETRY_MS = 100
// The maximum pause between two attempts, in milliseconds, since other bans wait during the pause: a pause that is doubled twenty times
// would last for hours.
const MAX_RETRY_MS = 5000
const MAX_BANS = 10_000

/**
 * The bans of one proxy. Each ban is sent at once, and again when every process has received the invalidation. One request is in progress
 * at a time. Bans that are added during a request wait, each tag once, and are sent together. Bans beyond `MAX_BANS` become one ban of all
 * objects.
 */
export class BanQueue {
  readonly #settings: BanQueueSettings
  readonly #waiting = new Map<string, Ban>()
  /** The second bans that are not due yet, in the order of `dueAt`. No tag is both here and in `#waiting`, the bans to be sent next. */
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

  /** Ends the queue of bans, and drops second bans. Resolves when the waiting bans were sent once or given up. */
  async close (): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#timer)
    this.#later.clear()
    for (const { tag, isAgain } of this.#waiting.values()) if (isAgain) this.#waiting.delete(tag)
    await this.#sending
  }

  #add (tag: string): void {
    if (this.#waiting.get(EVERYTHING)?.isAgain === false) return
    // An earlier invalidation of the tag may still wait for its second ban, which is dropped. The new invalidation sends a ban at once and
    // a second one later, and both also serve the earlier invalidation.
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
    // Errors are ignored here, since only the app's logger can throw, and its error must not end the process.
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

  /**
   * Removes the bans that are sent next from the queue, and returns them. A tag that is added during the request is queued again, since the
   * ban in progress may come too early for it.
   */
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
    // When the queue closes, all waiting bans are given up together with the failed ones, since an attempt for each would delay the close.
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
