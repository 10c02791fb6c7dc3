import { formatCount } from '../text.js'
import { parseOptions, USAGE, UsageError } from './options.js'
import { replay, type Progress } from './replay.js'
import { formatReport } from './report.js'

const PROGRESS_EVERY_MS = 5000

async function main (): Promise<number> {
  // File names are relative to the folder where npm was called (`INIT_CWD`), since npm runs the script in the folder of the workspace.
  const options = parseOptions(process.argv.slice(2), process.env.INIT_CWD ?? process.cwd())
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  const report = await replay(options, showProgress())
  console.log(options.format === 'json' ? JSON.stringify(report, null, 2) : formatReport(report))
  return report.checks.every(({ ok }) => ok) ? 0 : 1
}

function showProgress (): Progress {
  let next = Infinity
  return (sent) => {
    const now = performance.now()
    if (sent === 1) next = now + PROGRESS_EVERY_MS
    if (now < next) return
    next = now + PROGRESS_EVERY_MS
    process.stderr.write(`${formatCount(sent)} requests sent\n`)
  }
}

main().then(
  (status) => { process.exitCode = status },
  (error: Error) => {
    process.stderr.write(`replay: ${error.message}${error instanceof UsageError ? `\n\n${USAGE}` : ''}\n`)
    process.exitCode = 2
  }
)
