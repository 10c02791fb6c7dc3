import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import createError from '@fastify/error'

/** The options of a replay. */
export interface ReplayOptions {
  /** The file with the ids to request; `undefined`: ids are drawn from a Zipf distribution. */
  trace: string | undefined
  /** The address of the server; `undefined`: a server is started for the replay. */
  url: string | undefined
  path: string
  concurrency: number
  rate: number | undefined
  limit: number
  /** The number of users that send the requests; `undefined`: requests name no user. */
  users: number | undefined
  /** Whether both arms of a rollout are reported side by side. */
  compare: boolean
  /** The number of entries of the exact LRU cache with whose hits the server's hits are compared. */
  checkLru: number | undefined
  format: 'text' | 'json'
}

export const USAGE = `Usage: npm run replay -- [options]

  --trace FILE         ids to ask for, one a line, plain or gzip; without it a made-up Zipf trace is sent
  --url URL            a running server, e.g. http://127.0.0.1:8900; without it one is started, with this environment
  --path PATH          what to ask for (default: /api/records/:id)
  --concurrency N      requests under way at once (default: 16; with --check-lru always 1, which keeps the order)
  --rate N             requests per second (default: as fast as they are answered)
  --limit N            stop after so many requests
  --users N            requests come from N users by turns (header x-user-id), so that a rollout has both arms; without it
                       all come from one address
  --compare            show both arms of a rollout side by side (without --users: 100 users)
  --check-lru ENTRIES  compare the hits with an exact LRU simulation of so many entries
  --format text|json   (default: text)

Exit status: 0 if all that was sent was counted, and the LRU agrees; 1 if not; 2 if the replay could not be done.`

const COMPARED_USERS = 100

/** An error in the command line; its message describes the mistake. */
export const UsageError = createError<[mistake: string]>('APP_ERR_USAGE', '%s')

/** Parses the command line. `directory` is the folder to which file names are relative. */
export function parseOptions (args: string[], directory: string): ReplayOptions | 'help' {
  const values = parse(args)
  if (values.help === true) return 'help'
  const checkLru = wholeNumber('check-lru', values['check-lru'])
  const concurrency = wholeNumber('concurrency', values.concurrency)
  if (checkLru !== undefined && concurrency !== undefined && concurrency > 1) {
    throw new UsageError('--check-lru needs the order of the trace: leave --concurrency away')
  }
  const path = values.path ?? '/api/records/:id'
  if (!path.startsWith('/') || !path.includes(':id')) throw new UsageError(`--path must start with / and contain :id, got ${path}`)
  if (values.url !== undefined && !/^http:\/\/\S+$/.test(values.url)) throw new UsageError(`--url must start with http://, got ${values.url}`)
  const format = values.format ?? 'text'
  if (format !== 'text' && format !== 'json') throw new UsageError(`--format is text or json, got ${format}`)
  return {
    trace: values.trace === undefined ? undefined : resolve(directory, values.trace),
    url: values.url,
    path,
    concurrency: checkLru !== undefined ? 1 : concurrency ?? 16,
    rate: wholeNumber('rate', values.rate),
    limit: wholeNumber('limit', values.limit) ?? Infinity,
    users: wholeNumber('users', values.users) ?? (values.compare === true ? COMPARED_USERS : undefined),
    compare: values.compare === true,
    checkLru,
    format
  }
}

function parse (args: string[]) {
  const string = { type: 'string' } as const
  try {
    return parseArgs({
      args,
      options: {
        trace: string,
        url: string,
        path: string,
        concurrency: string,
        rate: string,
        limit: string,
        users: string,
        compare: { type: 'boolean' },
        'check-lru': string,
        format: string,
        help: { type: 'boolean', short: 'h' }
      }
    }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function wholeNumber (name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new UsageError(`--${name} must be a whole number from 1 on, got ${text}`)
}
