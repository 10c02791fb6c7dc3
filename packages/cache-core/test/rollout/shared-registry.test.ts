import { CacheRegistry } from '@x/cache-core'
import t from 'tap'
import { buildApp } from '@x/test-kit/build-app'

const canary = { stages: [10, 100], rampSeconds: 0 }

for (const rollout of [{ percent: 100 }, { holdOut: 0 }, { salt: 'x' }, { allow: ['user'] }, { canary }]) {
  const [name] = Object.keys(rollout)
  t.test(`rollout.${name}: an app cannot change the rollout of another app that has the canary of their registry`, async (t) => {
    const registry = new CacheRegistry()
    const app = await buildApp(t, { registry, implementation: 'memory', rollout: { canary } })
    await t.rejects(buildApp(t, { registry, rollout }), { code: 'CACHE_ERR_OPTION_INVALID', message: new RegExp(`"rollout\\.${name}" .*another app`) })
    t.match(registry.rollout, { percent: 0, holdOut: 1, salt: '', allow: ['*'], isMeasured: true })
    t.equal((await app.inject({ method: 'POST', url: '/internal/cache/rollout', payload: { action: 'to', percent: 10 } })).json().percent, 10)
  })
}

t.test('rollout: a second app of the registry of a canary is cached by its percent, and closes alone', async (t) => {
  const registry = new CacheRegistry()
  const app = await buildApp(t, { registry, implementation: 'memory', rollout: { canary } })
  const other = await buildApp(t, { registry, rollout: { canary: false, shadow: { percent: 5 }, key: () => 'everybody' } })
  await app.inject({ method: 'POST', url: '/internal/cache/rollout', payload: { action: 'to', percent: 100 } })
  t.match((await other.inject('/internal/cache')).json(), { implName: 'MemoryCache', rollout: { percent: 100, stage: 2 } })
  await other.close()
  t.match((await app.inject('/internal/cache')).json(), { implName: 'MemoryCache', rollout: { percent: 100, stage: 2 } })
  await app.close()
  await t.resolves(buildApp(t, { registry, rollout: { percent: 100 } }), 'the canary ends with its app')
})

t.test('rollout.canary: the salt, key patterns and hold-out of its registry are part of its plan', async (t) => {
  const statusOf = async (rollout: object): Promise<{ holdOut: number }> => {
    const registry = new CacheRegistry({ rollout })
    return (await (await buildApp(t, { registry, rollout: { canary } })).inject('/internal/cache')).json().rollout
  }
  t.match(await statusOf({ holdOut: 5, allow: ['user'] }), { holdOut: 5, allow: ['user'], percent: 0 })
  t.match(await statusOf({ percent: 40 }), { holdOut: 1, percent: 0 }, 'the percent is set by the canary')
  await t.rejects(statusOf({ allow: [] }), { code: 'CACHE_ERR_OPTION_INVALID', message: /"rollout.allow"/ })
})
