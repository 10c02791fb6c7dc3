// Starts a row on a build in a process of its own, and measures turns of it.
import { fork } from 'node:child_process'
import { once } from 'node:events'

/** `build` is `{ name, root }`, `row` is `{ file, name, … }`. The caller stops the side. */
export async function startSide (build, row, context) {
  const child = fork(new URL('./side.js', import.meta.url), [build.root, row.file, row.name, JSON.stringify(context)], { execArgv: row.nodeOptions ?? [] })
  const gone = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`The process that measures "${row.name}" on ${build.name} ended (${signal ?? code})`)
  })
  // A rejection is reported only to a caller that waits for a message.
  gone.catch(() => {})
  const message = async () => (await Promise.race([once(child, 'message'), gone]))[0]
  const ask = (action, calls) => {
    child.send({ action, calls })
    return message()
  }
  const { url } = await message()

  return {
    url,
    /** One turn: what the row measures, per call. A row with a client of its own drives the side from this process. */
    async turn (calls = row.calls) {
      let seen
      if (row.client === undefined) {
        seen = await ask('run', calls)
      } else {
        await ask('begin')
        await row.client(url, calls, context)
        seen = await ask('end')
      }
      return row.figure === 'own' ? seen.own : seen[row.figure] / calls
    },
    async stop () {
      if (child.exitCode === null && child.signalCode === null) child.kill()
      await gone.catch(() => {})
    }
  }
}
