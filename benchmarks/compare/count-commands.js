import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis-6'

const OWN = new Set(['info', 'config', 'monitor', 'hello', 'client'])

function parseStats (info) {
  const calls = {}
  for (const [, name, count] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    if (!OWN.has(name.split('|')[0])) calls[name] = Number(count)
  }
  return calls
}
const sum = (numbers) => numbers.reduce((total, each) => total + each, 0)

/**
 * Calls `listener(name, source)` for every command that the server runs. `source` is the address of the client, or `lua` for a command in a
 * script.
 */
async function monitor (url, listener) {
  const { hostname, port } = new URL(url)
  // MONITOR uses a plain socket: ioredis 6.0.0 takes a monitored command that arrives right after "OK" for a reply.
  const socket = connect(Number(port), hostname)
  const lines = createInterface({ input: socket })
  const isReady = once(lines, 'line')
  lines.on('line', (text) => {
    const line = /^\+[\d.]+ \[\d+ ([^\]]+)\] "([^"]*)"/.exec(text)
    if (line !== null) listener(line[2].toLowerCase(), line[1])
  })
  socket.write('MONITOR\r\n')
  const [answer] = await isReady
  if (answer !== '+OK') throw new Error(`MONITOR: ${answer}`)
  return () => socket.destroy()
}

/**
 * Runs `work` and waits until Redis has executed all of its commands. Returns `sent`, the number of commands from clients according to
 * MONITOR, and `stats`, the number of calls per command according to INFO commandstats, including calls by scripts.
 */
export async function countCommands (url, work) {
  const control = new Redis(url)
  let sent = 0
  const stop = await monitor(url, (name, source) => {
    if (source !== 'lua' && !OWN.has(name)) sent++
  })
  try {
    await control.config('RESETSTAT')
    sent = 0
    await work()
    let stats = parseStats(await control.info('commandstats'))
    for (let before = -1; sum(Object.values(stats)) > before + 2;) {
      before = sum(Object.values(stats))
      await wait(100)
      stats = parseStats(await control.info('commandstats'))
    }
    return { sent, stats }
  } finally {
    stop()
    control.disconnect()
  }
}
