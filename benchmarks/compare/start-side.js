// Starts a row on a build in a process of its own, and measures turns (runs of a number of calls) in it.
import { fork } from 'node:child_process'
import { once } from 'node:events'

/**
 * Starts the process of a row. `build` is `{ name, root, execPath }`, where `execPath` is another Node than this process's; `row` is
 * `{ file, name, … }`. The caller must stop the returned side.
 */
export async function startSide (build, row, context) {
  const { name, root, execPath = process.execPath } = build
  const child = fork(new URL('./side.js', import.meta.url), [root, row.file, row.name, JSON.stringify(context)], { execPath, execArgv: row.nodeOptions ?? [] })
  const gone = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`The process that measures "${row.name}" on ${name} ended (${signal ?? code})`)
  })
  // The rejection is handled, since it matters only to a caller that waits for a message.
  gone.catch(() => {})
  const message = async () => (await Promise.race([once(child, 'message'), gone]))[0]
  const ask = (action, calls) => {
    child.send({ action, calls })
    return message()
  }
  const { url } = await message()

  return {
    url,
    pid: child.pid,
    /**
     * Measures one turn; returns the row's figure per call. If the row has a `client`, this process sends the requests; otherwise the child
     * runs them.
     */
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
