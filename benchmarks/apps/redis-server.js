import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis-6'

/** Starts a redis-server for this benchmark on a free port; if `REDIS_URL` is set, that server is used instead. */
export async function startRedis () {
  if (process.env.REDIS_URL !== undefined) return { url: process.env.REDIS_URL, stop: async () => {} }
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  const child = spawn('redis-server', ['--port', String(port), '--save', '', '--appendonly', 'no', '--dir', tmpdir()], { stdio: 'ignore' })
  await once(child, 'spawn')
  process.once('exit', () => child.kill())
  const url = `redis://127.0.0.1:${port}`
  const client = new Redis(url, { lazyConnect: true, retryStrategy: null })
  client.on('error', () => {})
  for (let tries = 0; tries < 100; tries++) {
    await wait(30)
    if (await client.connect().then(() => true, () => false)) break
  }
  await client.ping()
  client.disconnect()
  return { url, stop: async () => { child.kill(); await once(child, 'exit') } }
}
