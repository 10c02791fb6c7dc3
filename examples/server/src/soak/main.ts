import { parseSoakOptions, SOAK_USAGE, type SoakOptions } from './options.js'
import { soak, type SoakReport } from './soak.js'
import type { Growth } from './verdict.js'

const MEBIBYTE = 1024 * 1024

function shown ({ name, before, after, isFlat }: Growth): string {
  const value = (number: number): string => name === 'heap' ? `${(number / MEBIBYTE).toFixed(1)} MiB` : String(number)
  return `${name} ${value(before)} -> ${value(after)} ${isFlat ? 'flat' : 'GROWS'}`
}

/** Prints the report of a soak; returns whether it has found no problem. */
function print ({ sent, statuses, problemCount, problems, recoveries, growth, last }: SoakReport, { minutes }: SoakOptions): boolean {
  console.log(`${sent} requests in ${minutes} minutes: ${Object.entries(statuses).map(([status, count]) => `${count} × ${status}`).join(', ')}`)
  console.log(`Redis restarted ${recoveries.length} times, in service again after ${recoveries.map((seconds) => seconds.toFixed(1)).join(', ')} s`)
  for (const [at, judged] of growth.entries()) {
    const { rssBytes, handles } = last[at]!
    console.log(`server ${at + 1}: ${judged?.map(shown).join(', ') ?? 'the run was too short to judge memory'}; at the end rss ${(rssBytes / MEBIBYTE).toFixed(0)} MiB, ${JSON.stringify(handles)}`)
  }
  for (const problem of problems) console.log(`  ${problem}`)
  const isGood = problemCount === 0 && growth.every((judged) => judged?.every(({ isFlat }) => isFlat) !== false)
  console.log(isGood ? 'ok' : `NOT OK: ${problemCount} problems`)
  return isGood
}

async function main (): Promise<void> {
  const options = parseSoakOptions(process.argv.slice(2))
  if (options === 'help') return console.log(SOAK_USAGE)
  process.exitCode = print(await soak(options, console.log), options) ? 0 : 1
}

main().catch((error: Error) => {
  process.stderr.write(`soak: ${error.message}\n`)
  process.exitCode = 2
})
