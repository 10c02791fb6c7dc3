import t from 'tap'
import { metricsOptionsFromEnv } from '../src/index.js'

t.test('metricsOptionsFromEnv: an empty environment says nothing', async (t) => {
  t.strictSame(metricsOptionsFromEnv({}), {})
  t.strictSame(metricsOptionsFromEnv({ FEATURE_OTEL: '', METRICS_PORT: ' ' }), {})
})

t.test('metricsOptionsFromEnv: FEATURE_OTEL switches OpenTelemetry', async (t) => {
  t.strictSame(metricsOptionsFromEnv({ FEATURE_OTEL: 'true' }), { otel: true })
  t.strictSame(metricsOptionsFromEnv({ FEATURE_OTEL: '0' }), { otel: false })
})

t.test('metricsOptionsFromEnv: METRICS_PORT is a second listener on that port', async (t) => {
  t.strictSame(metricsOptionsFromEnv({ METRICS_PORT: '9464' }), { listener: { port: 9464 } })
  t.strictSame(metricsOptionsFromEnv({ METRICS_PORT: '0' }), { listener: { port: 0 } })
})

t.test('metricsOptionsFromEnv: FEATURE_CACHE_ADVICE switches the advisor, in production too', async (t) => {
  t.strictSame(metricsOptionsFromEnv({ FEATURE_CACHE_ADVICE: 'true' }), { advisor: { production: true } })
  t.strictSame(metricsOptionsFromEnv({ FEATURE_CACHE_ADVICE: 'false' }), { advisor: false })
})

t.test('metricsOptionsFromEnv: a broken value throws with the name of its variable', async (t) => {
  for (const env of [{ FEATURE_OTEL: 'yes' }, { FEATURE_CACHE_ADVICE: 'on' }, { METRICS_PORT: '65536' }, { METRICS_PORT: '-1' }, { METRICS_PORT: '94.5' }, { METRICS_PORT: 'http' }]) {
    t.throws(() => metricsOptionsFromEnv(env), { code: 'CACHE_ERR_ENV_INVALID', message: new RegExp(Object.keys(env)[0]!) })
  }
})

t.test('metricsOptionsFromEnv: reads the environment of the process', async (t) => {
  t.intercept(process, 'env', { value: { ...process.env, FEATURE_OTEL: '1' } })
  t.match(metricsOptionsFromEnv(), { otel: true })
})
