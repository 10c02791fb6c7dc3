// Counts the instructions of a process with Linux's perf, where the machine lets it count them.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'

const EVENT = 'instructions:u'

/** Whether perf is installed and counts instructions; virtual machines often have no counter. */
export function canCount (event = EVENT) {
  const { status, stderr } = spawnSync('perf', ['stat', '-x', ';', '-e', event, 'true'], { encoding: 'utf8' })
  return status === 0 && /^[\d.]+;/m.test(stderr)
}

/** Returns the number of instructions that a process, with all its threads, runs during `work`. Rejects if perf gives no number. */
export async function countInstructions (pid, work, event = EVENT) {
  const perf = spawn('perf', ['stat', '-x', ';', '-e', event, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] })
  let output = ''
  perf.stderr.setEncoding('utf8').on('data', (text) => { output += text })
  await once(perf, 'spawn')
  // A fixed pause is needed, since perf does not report when it is attached to the process.
  await wait(300)
  await work()
  perf.kill('SIGINT')
  await once(perf, 'close')
  const count = /^([\d.]+);/m.exec(output)
  if (count === null) throw new Error(`perf gives no number: ${output}`)
  return Number(count[1])
}

/**
 * Returns the ratio of instructions per call of two sides, which run one after the other. The processes are new; their code is compiled
 * during some first turns that are not counted.
 */
export async function instructionRatio (starts, event = EVENT) {
  const WARM_UPS = 8
  const counts = []
  for (const { start, row } of starts) {
    const side = await start()
    try {
      for (let turn = 0; turn < WARM_UPS; turn++) await side.turn()
      counts.push(await countInstructions(side.pid, () => side.turn(), event) / row.calls)
    } finally {
      await side.stop()
    }
  }
  return counts[0] / counts[1]
}
