import { parseArgs } from 'node:util'
import { UsageError } from '../replay/options.js'

/** The settings of a soak. */
export interface SoakOptions {
  minutes: number
  /** Seconds from one stop of Redis to the next. */
  restartSeconds: number
  /** Seconds for which Redis is stopped. */
  downSeconds: number
  /** Requests per second that all clients together send. */
  rate: number
  clients: number
}

export const SOAK_USAGE = `Usage: npm run soak -- [options]

  --minutes N          how long requests are sent (default: 30)
  --restart-seconds N  from one stop of Redis to the next (default: 120)
  --down-seconds N     how long Redis is away (default: 5)
  --rate N             requests per second (default: 200)
  --clients N          clients at once (default: 16)

Needs redis-server. Exit status: 0 if every request was answered as a working database allows, nothing stale was left, and memory and handles
are flat; 1 if not; 2 if the soak could not be done.`

/** Parses the command line of the soak. */
export function parseSoakOptions (args: string[]): SoakOptions | 'help' {
  const string = { type: 'string' } as const
  let values
  try {
    values = parseArgs({ args, options: { minutes: string, 'restart-seconds': string, 'down-seconds': string, rate: string, clients: string, help: { type: 'boolean', short: 'h' } } }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
  if (values.help === true) return 'help'
  const number = (name: 'minutes' | 'restart-seconds' | 'down-seconds' | 'rate' | 'clients', fallback: number): number => {
    const value = Number(values[name] ?? fallback)
    if (value > 0 && value < 1e6) return value
    throw new UsageError(`--${name} must be a number above 0, got ${values[name]}`)
  }
  return {
    minutes: number('minutes', 30),
    restartSeconds: number('restart-seconds', 120),
    downSeconds: number('down-seconds', 5),
    rate: number('rate', 200),
    clients: Math.round(number('clients', 16))
  }
}
