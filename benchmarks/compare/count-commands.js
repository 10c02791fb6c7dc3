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
 * Runs `work` and waits until Redis has nothing more to do for it. `sent` is the number of commands that clients sent, as MONITOR tells
 * them; `stats` the calls per command in INFO commandstats, which counts those that a script makes as well.
 */
export async function countCommands (url, work) {
  const control = new Redis(url)
  // A connection of its own, beside that of the client.
  const monitor = await control.monitor()
  let sent = 0
  monitor.on('monitor', (_time, [name], source) => {
    if (source !== 'lua' && !OWN.has(name.toLowerCase())) sent++
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
    monitor.disconnect()
    control.disconnect()
  }
}
