import type { Checks } from './api-checks.js'
import type { Client } from './client.js'

/** The result of one check; `problem` describes the failure. */
export interface Outcome { name: string; problem?: string }

/** Runs checks one after the other, also after one that failed. */
export async function runChecks (checks: Checks, client: Client): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const [name, check] of Object.entries(checks)) outcomes.push(await runCheck(name, () => check(client)))
  return outcomes
}

/** Runs one check; returns its outcome. */
export async function runCheck (name: string, check: () => Promise<void>): Promise<Outcome> {
  try {
    await check()
    return { name }
  } catch (error) {
    return { name, problem: (error as Error).message }
  }
}

/** Formats one line per check, and the number of passed checks. */
export function formatOutcomes (outcomes: readonly Outcome[]): string {
  const failed = outcomes.filter(({ problem }) => problem !== undefined).length
  return [
    ...outcomes.map(({ name, problem }) => problem === undefined ? `  ok      ${name}` : `  FAILED  ${name}\n          ${problem.replaceAll('\n', '\n          ')}`),
    `${outcomes.length - failed} of ${outcomes.length} checks held`
  ].join('\n')
}
