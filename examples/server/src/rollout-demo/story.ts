import type { GateRow } from '@x/cache-core/suite'
import type { Report } from '@x/cache-metrics'
import type { Database } from '../database/open.js'
import { findRecord, updateRecord } from '../models/record.js'
import { buildDemoApp, MINUTE_MS, type DemoApp } from './demo-app.js'
import { DemoStopped, Operator, type Decision } from './operator.js'
import { USUAL_MS } from './source.js'
import { Traffic } from './traffic.js'

/** The parts and settings of a demo. */
export interface DemoOptions {
  /** The database; the code that opened it closes it. */
  database: Database
  /** The number of requests per simulated minute. */
  perMinute?: number
  /** Real milliseconds to wait for a decision of the canary, after which the demo ends with an error. */
  limitMs?: number
  /** Receives each line of the transcript. */
  say: (line: string) => void
}

/** The results of a demo, as the endpoints returned them. */
export interface DemoReport {
  readonly decisions: readonly Decision[]
  /** The advisor's report before anything was cached. */
  readonly observed: Report
  /** The advisor's report after the demo has made cached values outdated. */
  readonly wrong: Report
  readonly sent: number
  readonly failed: number
}

/** The milliseconds of a slow cache read, with which the cache is slower than the database. */
const SLOW_CACHE_MS = 25
const SLOW_SOURCE_MS = 25
/** The number of records that the simulated import changes. They are the most popular records. */
const IMPORTED = 20
/**
 * A user who is in the cached arm at 100 %. The demo uses this user's reads to show whether the app serves an outdated value from the
 * cache.
 */
const USER = 7

/**
 * Runs a rollout from the first observation to the kill switch. Every printed number and reason comes from the endpoints of the app.
 * @throws `DemoStopped` if a decision does not come in time, or an endpoint refuses a request
 */
export async function tellStory (options: DemoOptions): Promise<DemoReport> {
  const observed = await run(true, options, (story) => story.observe())
  const rest = await run(false, options, (story) => story.rollOut())
  return { observed, ...rest }
}

/** Builds one app and runs it with the requests of the simulated users. */
async function run<T> (isObserving: boolean, options: DemoOptions, tell: (story: Story) => Promise<T>): Promise<T> {
  const demo = await buildDemoApp(options.database, isObserving)
  const traffic = new Traffic(demo.app, demo.time, (options.perMinute ?? 60) / MINUTE_MS)
  try {
    await demo.app.ready()
    traffic.start()
    return await tell(new Story(demo, traffic, options))
  } finally {
    await traffic.stop()
    await demo.app.close()
  }
}

class Story {
  readonly #demo: DemoApp
  readonly #traffic: Traffic
  readonly #database: Database
  readonly #say: (line: string) => void
  readonly #operator: Operator
  readonly #began: number

  constructor (demo: DemoApp, traffic: Traffic, { database, say, limitMs = 300_000 }: DemoOptions) {
    this.#demo = demo
    this.#traffic = traffic
    this.#database = database
    this.#say = say
    this.#began = demo.time.now()
    this.#operator = new Operator(demo.app, limitMs, (decision) => { this.#showDecision(decision) })
  }

  async observe (): Promise<Report> {
    this.#title('1. Observe: NullCache stores nothing, the advisor looks at the keys, their values and their durations')
    const operator = this.#operator
    const report = await operator.until('advice on the hot key pattern', () => operator.advice(), ({ requests, advice: [first] }) => requests >= 1000 && first?.verdict === 'good')
    this.#showAdvice(report)
    return report
  }

  async rollOut (): Promise<Omit<DemoReport, 'observed'>> {
    await this.#baseline()
    await this.#rise()
    await this.#slowSource()
    await this.#slowCache()
    const wrong = await this.#wrongCache()
    await this.#switchOff()
    const { sent, failed } = this.#traffic
    return { decisions: this.#operator.decisions, wrong, sent, failed }
  }

  async #baseline (): Promise<void> {
    this.#title('2. The baseline: percent 0, both arms are measured without a cache, shadow reads compare')
    const operator = this.#operator
    const isCompared = ({ shadow = [] }: Report): boolean => shadow.some(({ compared }) => compared > 1000)
    this.#showShadow(await operator.until('shadow reads', () => operator.advice(), isCompared))
    await this.#untilAt(10)
  }

  async #rise (): Promise<void> {
    this.#title('3. The canary raises the percent')
    const operator = this.#operator
    await this.#untilAt(50)
    // The last comparison before the end of a stage is printed, since the next stage begins without numbers.
    let comparison: string | undefined
    await operator.until('the stage of 100 %', () => operator.rollout(), (view) => {
      if (view.percent === 50) comparison = view.comparison ?? comparison
      return view.percent === 100
    })
    if (comparison !== undefined) this.#line(`at 50 %, ${comparison}`)
    await operator.until('the last stage meets its criteria', () => operator.rollout(), ({ completed }) => completed)
  }

  async #slowSource (): Promise<void> {
    this.#title(`4. The database gets slow (${SLOW_SOURCE_MS} ms instead of ${USUAL_MS} a query): both arms suffer, so it is no fault of the cache`)
    this.#demo.source.latencyMs = SLOW_SOURCE_MS
    const operator = this.#operator
    const { observedMinutes: before } = await operator.rollout()
    const view = await operator.until('minutes with a slow database', () => operator.rollout(), ({ observedMinutes }) => Math.abs(observedMinutes - before) >= 20)
    this.#line(`still ${view.percent} %: ${gate(view.gates, 'p95 against control').reason}`)
    this.#demo.source.latencyMs = USUAL_MS
  }

  async #slowCache (): Promise<void> {
    this.#title(`5. The cache gets slow (${SLOW_CACHE_MS} ms a read): the cached arm alone suffers`)
    this.#demo.cache.readMs = SLOW_CACHE_MS
    await this.#untilAt(50)
    this.#demo.cache.readMs = 0
    this.#line('the cache is fast again; the canary goes on by itself, and the stage that failed takes twice as long')
    await this.#untilAt(100)
  }

  async #wrongCache (): Promise<Report> {
    this.#title('6. The cache gets wrong: an import writes to the database and invalidates nothing')
    const operator = this.#operator
    for (let id = 0; id < IMPORTED; id++) await updateRecord(this.#database, id, { stock: -1 })
    this.#line(`record 0: the database has stock ${String(await this.#stored(0))}, user ${USER} reads ${String(await operator.stockFor(USER, 0))}`)
    this.#line('a mismatch counts if nothing has invalidated the entry five seconds later')
    const report = await operator.until('stale entries', () => operator.advice(), ({ shadow = [] }) => shadow.some(({ verdict }) => verdict === 'no-go'))
    this.#showShadow(report)
    return report
  }

  async #switchOff (): Promise<void> {
    this.#title('7. The operator uses the kill switch: POST /internal/cache/rollout {"action":"off"}')
    const operator = this.#operator
    const { percent } = await operator.act({ action: 'off' })
    this.#line(`percent ${percent}; record 0: the database has stock ${String(await this.#stored(0))}, user ${USER} reads ${String(await operator.stockFor(USER, 0))}`)
  }

  async #stored (id: number): Promise<unknown> {
    return (await findRecord(this.#database, id)).fields.stock
  }

  /** Waits until a ramp of the rollout has reached its percent. */
  async #untilAt (percent: number): Promise<void> {
    await this.#operator.until(`the stage of ${percent} %`, () => this.#operator.rollout(), (view) => view.percent === percent)
  }

  #showAdvice ({ requests, advice: [first] }: Report): void {
    const { name, verdict, hitRate, margin, ttl } = first!
    this.#line(`advice after ${requests} requests: ${name} is ${verdict}, ${percentText(hitRate)} ± ${Math.ceil(100 * margin)} hits with a ttl of ${ttl} s`)
  }

  #showShadow ({ shadow = [] }: Report): void {
    for (const { text } of shadow) this.#line(`shadow reads: ${text}`)
  }

  #showDecision ({ from, to, by, reason }: Decision): void {
    const [first, ...more] = reason.split('; ')
    this.#line(`${by}: ${from} % -> ${to} %: ${first}`)
    for (const part of more) this.#say(`           ${part}`)
  }

  #title (text: string): void {
    this.#say('')
    this.#say(text)
  }

  #line (text: string): void {
    const hours = (this.#demo.time.now() - this.#began) / MINUTE_MS / 60
    this.#say(`hour ${hours.toFixed(2)}  ${text}`)
  }
}

function gate (gates: readonly GateRow[] | undefined, name: GateRow['name']): GateRow {
  const row = gates?.find((one) => one.name === name)
  if (row === undefined) throw new DemoStopped(`the canary has no criterion "${name}"`)
  return row
}

function percentText (share: number): string {
  return `${Math.round(100 * share)} %`
}
