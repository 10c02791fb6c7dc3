// Runs the tests of HTTP and of races again, over sockets and with early answers for every policy that allows them.
import { join } from 'node:path'
import { runFiles } from '../../../../../.config/run-together.js'

const FILES = [
  'api-keys', 'bad-input', 'behind-writes', 'changed-in-place', 'clients-gone', 'coalescing', 'computed-tag', 'conditional-requests',
  'constraints', 'csp-nonce', 'differential', 'handlers', 'hook-selection', 'implementations', 'key', 'other-plugins', 'query',
  'refused-refresh', 'renewal', 'rfc5861', 'rfc9111-freshness', 'rfc9111-storing', 'rfc9111-validation', 'rfc9211', 'security-poisoning',
  'security-sharing', 'security-store', 'unstored-routes', 'upgrades', 'variants', 'view-hidden', 'view-http2',
  'view-personal', 'view-refresh', 'view-target'
]

// The variable is set before the fixtures are loaded, since they read the environment when they are loaded.
process.env.EDGE_EARLY ??= 'server'
process.env.REQUESTS ??= '300'
await runFiles(FILES.map((name) => join(import.meta.dirname, '../..', `${name}.test.ts`)))
