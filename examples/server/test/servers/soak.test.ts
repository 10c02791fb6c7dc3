import t from 'tap'
import '@x/test-kit/redis-server'
import { run } from '../fixtures/run.js'

t.setTimeout(300_000)

t.test('soak: with Redis killed and started again under load no request fails, nothing stale is left, and Redis is in service again', async (t) => {
  const { status, stdout, stderr } = await run('soak/main.ts', '--minutes', '0.08', '--restart-seconds', '2', '--down-seconds', '0.5', '--clients', '8')
  t.equal(status, 0, stdout + stderr)
  t.match(stdout, /^\d+ requests in 0\.08 minutes: .*\d+ × 200/m)
  t.match(stdout, /Redis restarted [12] times, in service again after \d/)
  t.match(stdout, /server 2: the run was too short to judge memory/)
})
