// Reads the command line options that several benchmarks have in common.
import { parseArgs } from 'node:util'

const ONLY = { type: 'string', multiple: true, default: [] }

/**
 * Reads the options of a benchmark, and the common option `--only`.
 * @throws an error with the usage for an option that is not known
 */
export function readArguments (options, usage) {
  try {
    return parseArgs({ options: { ...options, only: ONLY } }).values
  } catch (error) {
    throw new Error(`${error.message}. Use: ${usage}`)
  }
}

/** Returns those rows or curves whose name contains one of the texts; without a text all of them. */
export function choose (kind, all, only) {
  const chosen = all.filter(({ name }) => only.length === 0 || only.some((text) => name.includes(text)))
  if (chosen.length > 0) return chosen
  throw new Error(`No ${kind} has ${only.map((text) => JSON.stringify(text)).join(' or ')} in its name. There are:\n  ${all.map(({ name }) => name).join('\n  ')}`)
}

/**
 * Runs a benchmark, which returns whether every verdict is good. The exit status is 0 if every verdict is good, 1 if one is not, and 2 if
 * the run failed.
 */
export async function runCommand (measure) {
  // Signals are handled, since a signal otherwise ends Node without the clean-up of the event `exit`.
  for (const [signal, status] of [['SIGINT', 130], ['SIGTERM', 143]]) process.once(signal, () => process.exit(status))
  try {
    if (!await measure()) process.exitCode = 1
  } catch (error) {
    console.error(error.message)
    process.exitCode = 2
  }
}
