// Registers the metrics with option `otel`; prints the code of the error, or the status of the page: node otel.js
import Fastify from 'fastify'
import cacheMetrics from '@x/cache-metrics'

const app = Fastify()
app.register(cacheMetrics, { otel: true })
try {
  console.log((await app.inject('/metrics/otel')).statusCode)
} catch (error) {
  console.log(error.code)
}
await app.close().catch(() => {})
