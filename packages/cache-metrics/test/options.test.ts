import { metrics } from '@opentelemetry/api'
import { Registry } from 'prom-client'
import t from 'tap'
import { resolveMetricsOptions } from '../src/options.js'

t.test('resolveMetricsOptions: takes what is documented and leaves the rest open', async (t) => {
  const options = {
    registry: new Registry(),
    endpoint: { prom: '/prom', otel: false as const },
    maxRoutes: 10,
    otel: { meterProvider: metrics.getMeterProvider() },
    listener: { port: 0, host: '127.0.0.1' }
  }
  const resolved = resolveMetricsOptions(options)
  t.strictSame(resolved, options)
  t.equal(resolved.registry, options.registry)
  t.strictSame(resolveMetricsOptions({}), {})
  t.strictSame(resolveMetricsOptions({ prefix: '/a', endpoint: undefined, otel: true, listener: false }), { otel: true, listener: false })
})

t.test('resolveMetricsOptions: changes nothing of what it is given', async (t) => {
  const endpoint = Object.freeze({ prom: '/prom' })
  const otel = Object.freeze({})
  t.strictSame(resolveMetricsOptions(Object.freeze({ endpoint, otel, prefix: '/x' })), { endpoint: { prom: '/prom' }, otel: {} })
})

const BROKEN: [options: object, path: string][] = [
  [{ registry: {} }, 'registry'],
  [{ registry: 'default' }, 'registry'],
  [{ endpoint: '/metrics' }, 'endpoint'],
  [{ endpoint: true }, 'endpoint'],
  [{ endpoint: { prom: 'metrics' } }, 'endpoint.prom'],
  [{ endpoint: { text: '/metrics' } }, 'endpoint.text'],
  [{ maxRoutes: 0 }, 'maxRoutes'],
  [{ maxRoutes: 1.5 }, 'maxRoutes'],
  [{ maxRoutes: '200' }, 'maxRoutes'],
  [{ otel: 'on' }, 'otel'],
  [{ otel: { meterProvider: {} } }, 'otel.meterProvider'],
  [{ otel: { port: 9464 } }, 'otel.port'],
  [{ advisor: { production: 'yes' } }, 'advisor.production'],
  [{ listener: 9464 }, 'listener'],
  [{ listener: { port: 65_536 } }, 'listener.port'],
  [{ listener: { host: '' } }, 'listener.host'],
  [{ labels: [] }, 'labels']
]

t.test('resolveMetricsOptions: a wrong or unknown option throws with its path', async (t) => {
  for (const [options, path] of BROKEN) {
    t.throws(() => resolveMetricsOptions(options), { code: 'CACHE_ERR_OPTION_INVALID', message: new RegExp(`^Option "${path}" is invalid`) }, JSON.stringify(options))
  }
})
