import type { Wishes } from '../advisor/report/advice.js'
import type { LogFormat } from './logs/log-entry.js'
import type { Server } from './server.js'
import type { KEYS } from './trace-lines.js'

export interface AppSource {
  readonly kind: 'app'
  readonly server: Server
  /** Further apps, whose accesses are merged with those of the first app. */
  readonly others: readonly Server[]
}

export interface PrometheusSource {
  readonly kind: 'prometheus'
  readonly server: Server
  readonly windowSeconds: number
  /** Label matchers of PromQL, without braces, that select the app's series; may be empty. */
  readonly selector: string
  readonly minSeconds: number
}

export interface TraceSource {
  readonly kind: 'trace'
  /** Path of the trace file; `-` is standard input. */
  readonly file: string
  /** The format of the trace file; `undefined`: the format is detected from its lines. */
  readonly logFormat: typeof KEYS | LogFormat | undefined
  /** The assumed number of requests per second for a file of keys, which contains no times. */
  readonly rate: number
  readonly ttls: readonly number[]
  readonly entries: readonly number[]
  readonly loadSeconds: number | undefined
  readonly valueBytes: number | undefined
  readonly wishes: Wishes
  readonly minSeconds: number
}
