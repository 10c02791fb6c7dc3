// Runs the tests of HTTP and of races again, over sockets and with early answers for every policy that allows them.
import { join } from 'node:path'
import { runFiles } from '../../../../../.config/run-together.js'

// The file `ready-hits` is left out, since it tests hits on the normal path, which early answers replace.
const FILES = [
  'api-keys', 'bad-input', 'behind-writes', 'callbacks', 'changed-in-place', 'clients-gone', 'coalescing', 'computed-tag',
  'conditional-requests', 'constraints', 'csp-nonce', 'differential', 'etag-suffixes', 'handlers', 'hook-selection', 'http2-upstream',
  'implementations', 'key', 'no-vary-search', 'other-plugins', 'purge', 'query', 'ranges', 'refused-refresh', 'renewal', 'request-signal',
  'rfc5861', 'rfc9111-freshness', 'rfc9111-storing', 'rfc9111-validation', 'rfc9211', 'rfc9875', 'security-poisoning', 'security-sharing',
  'security-store', 'slow-clients', 'stream-ends', 'unstored-routes', 'upgrades', 'variants', 'vary-cookie', 'view-hidden', 'view-http2',
  'view-personal', 'view-refresh', 'view-target', 'web-payloads'
]

// The variable is set before the fixtures are loaded, since they read the environment when they are loaded.
process.env.EDGE_EARLY ??= 'server'
process.env.REQUESTS ??= '300'
await runFiles(FILES.map((name) => join(import.meta.dirname, '../..', `${name}.test.ts`)))
