import type { FastifyBaseLogger } from 'fastify'

/** Logs a line. A logger of the app's own that throws ends neither the request nor the process. */
export function say (log: FastifyBaseLogger, level: 'info' | 'warn' | 'error', fields: object, message: string): void {
  try {
    log[level](fields, message)
  } catch {
    // There is no other place to say it.
  }
}

/** Logs a warning. */
export function warn (log: FastifyBaseLogger, fields: object, message: string): void {
  say(log, 'warn', fields, message)
}

/** Warnings that are given once for each subject, such as a route. */
export class Notices {
  readonly #given = new Set<string>()

  warnOnce (log: FastifyBaseLogger, subject: string, fields: object, message: string): void {
    if (this.#given.has(subject)) return
    this.#given.add(subject)
    warn(log, fields, message)
  }
}
