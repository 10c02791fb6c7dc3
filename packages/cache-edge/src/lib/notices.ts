type LogMethod = (fields: object, message: string) => void

/** The log methods of a Fastify logger that this package calls. */
export interface Log { readonly info: LogMethod; readonly warn: LogMethod; readonly error: LogMethod }

/** Writes a line to the app's log. An error of the app's logger is ignored, since it must make neither the request nor the process fail. */
export function say (log: Log, level: 'info' | 'warn' | 'error', fields: object, message: string): void {
  try {
    log[level](fields, message)
  } catch {
    // The error of the logger is ignored, since there is no other place to report it.
  }
}

/** Writes a warning to the app's log, as `say` does. */
export function warn (log: Log, fields: object, message: string): void {
  say(log, 'warn', fields, message)
}

/** Logs each warning once for each subject, such as a route. */
export class Notices {
  readonly #logged = new Set<string>()

  warnOnce (log: Log, subject: string, fields: object, message: string): void {
    if (this.#logged.has(subject)) return
    this.#logged.add(subject)
    warn(log, fields, message)
  }
}
