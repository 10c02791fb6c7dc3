import { openDatabase } from '../database/open.js'
import { DemoStopped } from './operator.js'
import { tellStory } from './story.js'

async function main (): Promise<void> {
  console.log('The example server with its database and a cache in memory; a minute of the canary takes 100 simulated milliseconds.')
  const database = await openDatabase()
  try {
    const { sent, failed } = await tellStory({ database, say: (line) => { console.log(line) } })
    console.log(`\n${sent} requests sent, ${failed} of them failed.`)
  } finally {
    await database.close()
  }
}

main().catch((error: Error) => {
  process.stderr.write(`rollout:demo: ${error instanceof DemoStopped ? error.message : error.stack}\n`)
  process.exitCode = 1
})
