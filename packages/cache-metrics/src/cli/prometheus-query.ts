import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { PrometheusSource } from './sources.js'
import { AdvisorError } from './errors.js'
import { ask, pageOf, shown } from './server.js'

const vector = Type.Object({
  status: Type.Literal('success'),
  data: Type.Object({
    resultType: Type.Literal('vector'),
    result: Type.Array(Type.Object({
      metric: Type.Record(Type.String(), Type.String()),
      value: Type.Tuple([Type.Number(), Type.String()])
    }))
  })
})
const failure = Type.Object({ status: Type.Literal('error'), error: Type.String() })

/** One series of a query's result: its labels and its value. */
export interface Sample { readonly labels: Readonly<Record<string, string>>, readonly value: number }

/** Sends queries to a Prometheus server for the time window and the label selector of the command line. */
export class PrometheusQuery {
  readonly #source: PrometheusSource
  readonly #timeoutMs: number

  constructor (source: PrometheusSource, timeoutMs: number) {
    this.#source = source
    this.#timeoutMs = timeoutMs
  }

  /** Returns the seconds since the oldest sample of the cache metrics in Prometheus, at most the whole time window; 0 without a sample. */
  async observedSeconds (): Promise<number> {
    const { windowSeconds } = this.#source
    // The range of the query exceeds the time window by two steps, since the query gives a sample's age only to the precision of one step.
    const step = Math.ceil(windowSeconds / 2000)
    // The metric `cache_rollout_percent` has a sample in every scrape, from the first scrape on.
    const times = `timestamp(${this.#series('cache_rollout_percent')})`
    const [age] = await this.ask(`time() - (min(min_over_time(${times}[${windowSeconds + 2 * step}s:${step}s])) or min(${times}))`)
    return age === undefined ? 0 : Math.min(windowSeconds, Math.max(0, age.value))
  }

  /**
   * Returns the increase of a counter in the time window, summed for each combination of values of the labels `by`. Without a sample the
   * counter has no series in the window. OpenMetrics registries add `_total` to a name without it.
   */
  increase (name: string, ...by: string[]): Promise<Sample[]> {
    // The names are joined inside the sum: processes of one window may have either name.
    return this.ask(this.#increase(/_(?:total|sum|count)$/.test(name) ? [name] : [name, `${name}_total`], by))
  }

  /** Returns a quantile of a histogram metric in the time window, for each value of the label `by`. */
  quantile (share: number, name: string, by: string): Promise<Sample[]> {
    return this.ask(`histogram_quantile(${share}, ${this.#increase([`${name}_bucket`], [by, 'le'])})`)
  }

  /** Returns the present value of a gauge, aggregated over all of its series. */
  now (aggregation: 'max', name: string): Promise<Sample[]> {
    return this.ask(`${aggregation}(${this.#series(name)})`)
  }

  /** Returns the highest value of a gauge in the time window minus the lowest value, over all of its series. */
  change (name: string): Promise<Sample[]> {
    const range = `${this.#series(name)}[${this.#source.windowSeconds}s]`
    return this.ask(`max(max_over_time(${range})) - min(min_over_time(${range}))`)
  }

  /**
   * Sends a query to the Prometheus server; returns the series of the result that have finite values.
   * @throws `CACHE_ERR_ADVISOR` if the query fails
   */
  async ask (query: string): Promise<Sample[]> {
    const { server } = this.#source
    const page = pageOf(server, '/api/v1/query', { query })
    const { status, json } = await ask(page, server, this.#timeoutMs)
    if (Value.Check(failure, json)) throw new AdvisorError(`${shown(page)} refuses a query: ${json.error.slice(0, 300)}`)
    if (status !== 200) throw new AdvisorError(`${shown(page)} answers ${status}${status === 401 || status === 403 ? ': give what its guard wants with --header' : ''}`)
    if (!Value.Check(vector, json)) throw new AdvisorError(`${shown(page)} answers, but not as a Prometheus server: is it one?`)
    return json.data.result
      .map(({ metric, value: [, value] }) => ({ labels: metric, value: Number(value) }))
      .filter(({ value }) => Number.isFinite(value))
  }

  #increase (names: readonly string[], by: readonly string[]): string {
    const increases = names.map((name) => `increase(${this.#series(name)}[${this.#source.windowSeconds}s])`)
    return `sum by (${by.join(', ')}) (${increases.join(' or ')})`
  }

  #series (name: string): string {
    return `${name}{${this.#source.selector}}`
  }
}
