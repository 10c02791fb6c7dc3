import assert from 'node:assert/strict'
import { parseCounts } from '../replay/counters.js'
import type { Checks } from './api-checks.js'
import { Client } from './client.js'

const PROMETHEUS_TEXT = /^text\/plain; version=0\.0\.4/
/** The metrics that `/metrics/prom` must declare, with or without samples. */
export const METRIC_NAMES = [
  'cache_hits_total', 'cache_miss_total', 'cache_set_total', 'cache_del_total', 'cache_errors_total', 'cache_invalidate_total',
  'cache_enabled', 'cache_candidate_requests', 'cache_edge_candidates_total', 'etag_match_total', 'cache_operation_duration_seconds',
  'cache_load_duration_seconds', 'cache_request_duration_seconds', 'cache_rollout_percent', 'cache_breaker_state', 'cache_degraded'
]

/**
 * Returns the checks of the endpoints of the plugins, which need earlier traffic.
 * @param listenerUrl the address of the second listener
 */
export function metricsChecks (listenerUrl: string): Checks {
  const listener = new Client(listenerUrl)
  return {
    async 'GET /metrics/prom: a second read is a hit' (client) {
      const hits = async () => parseCounts(await client.text('/metrics/prom', PROMETHEUS_TEXT)).patterns.tables?.hits ?? 0
      await client.get('/api/tables')
      const before = await hits()
      await client.get('/api/tables')
      assert.equal(await hits(), before + 1)
    },
    async 'GET /internal/cache' (client) {
      const status = await client.get('/internal/cache')
      assert.deepEqual([status.enabled, status.implName], [true, 'MemoryCache'])
      assert.ok(!Number.isNaN(Date.parse(status.registeredAt)), 'registeredAt')
      const { hits, misses, errors, hitRate } = status.recentStats
      assert.ok(hits > 0 && misses > 0 && errors === 0, JSON.stringify(status.recentStats))
      assert.equal(hitRate, hits / (hits + misses))
    },
    async 'GET /metrics/prom: Prometheus text with every metric' (client) {
      const text = await client.text('/metrics/prom', PROMETHEUS_TEXT)
      for (const name of METRIC_NAMES) assert.match(text, new RegExp(`^# TYPE ${name} `, 'm'))
      for (const label of ['record', 'records', 'table', 'tables', 'user', 'permissions', 'approvals']) {
        assert.match(text, new RegExp(`^cache_miss_total\\{.*key_pattern="${label}".*\\} [1-9]`, 'm'))
      }
    },
    async 'GET /metrics/prom: personal routes are no candidates, no label holds a key' (client) {
      const text = await client.text('/metrics/prom', PROMETHEUS_TEXT)
      const { candidates } = parseCounts(text)
      assert.ok(candidates['/api/records/:id']! > 0)
      for (const route of ['/api/user', '/api/profile', '/api/notifications']) assert.equal(candidates[route], undefined, route)
      assert.doesNotMatch(text, /"record:/)
    },
    async 'GET /metrics/otel: the same numbers' (client) {
      const prom = parseCounts(await client.text('/metrics/prom', PROMETHEUS_TEXT))
      assert.deepEqual(parseCounts(await client.text('/metrics/otel', PROMETHEUS_TEXT)), prom)
    },
    async 'GET /metrics: the same numbers in JSON' (client) {
      const text = JSON.stringify(await client.get('/metrics'))
      for (const name of ['cache_hits_total', 'cache_miss_total', 'cache_enabled', 'cache_candidate_requests']) assert.ok(text.includes(`"${name}"`), name)
    },
    async 'second listener: serves the metrics' (client) {
      const prom = parseCounts(await client.text('/metrics/prom', PROMETHEUS_TEXT))
      assert.deepEqual(parseCounts(await listener.text('/metrics/prom', PROMETHEUS_TEXT)), prom)
      await listener.get('/metrics')
      await listener.text('/metrics/otel', PROMETHEUS_TEXT)
    },
    async 'second listener: serves nothing else' () {
      const response = await fetch(`${listenerUrl}/api/tables`)
      await response.body?.cancel()
      assert.equal(response.status, 404)
    }
  }
}
