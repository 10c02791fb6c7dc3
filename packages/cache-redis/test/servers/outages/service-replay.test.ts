import t from 'tap'
import { Service } from '../../../src/service/service.js'
import { until } from '@x/test-kit/redis-server'

t.test('remove: one that comes at any moment of the return to service is replayed', async (t) => {
  for (let moment = 0; moment < 40; moment++) {
    const sent: string[] = []
    const service = new Service({
      commandTimeoutMs: 100,
      breaker: { windowMs: 1000, minimumCalls: 20, errorRate: 0.5, probeMs: 10_000 },
      maxQueued: 10,
      now: () => performance.now()
    }, {
      ping: async () => {},
      applyHere: () => {},
      send: async (removal) => { if ('name' in removal) sent.push(removal.name) },
      changed: () => {}
    })
    t.match(await service.remove('tags.invalidate', [{ kind: 'tag', name: 'first' }]), { ok: false, error: { queued: true } })
    service.probeNow()
    for (let turn = 0; turn < moment; turn++) await Promise.resolve()
    const late = await service.remove('tags.invalidate', [{ kind: 'tag', name: 'late' }])
    await until(`it is in service again (moment ${moment}, ${late.ok ? 'sent' : 'queued'})`, () => service.isUp)
    t.ok(sent.includes('first') && sent.includes('late'), `moment ${moment}`)
    t.equal(await service.close(), 0)
  }
})
