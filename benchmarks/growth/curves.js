// The curves of `growth.js`, each with an operation, the values of x, and the stated order. `context` makes the context of the operation
// from x.
const THOUSANDS = [1000, 10_000, 100_000, 1_000_000]
const TAGS_PER_ENTRY = [0, 1, 2, 4, 8, 16]
const TAGS_IN_USE = [100, 1000, 10_000, 100_000, 1_000_000]
const BYTES = [100, 1000, 10_000, 100_000, 1_000_000]
const COUNTS = [1, 10, 100, 1000]

const op = (row, calls) => ({ file: 'growth', row, calls })
const http = { file: 'app-kind', row: 'app kind', calls: 1000 }
const growing = (options, more = {}) => ({ app: 'growing', args: [options], path: '/route/0', ...more })

export const curves = [
  { name: 'memory get by entries', x: 'entries', xs: THOUSANDS, order: 'O(1)', side: op('memory get', 20_000), context: (entries) => ({ entries }) },
  { name: 'memory getOrSet hit by entries', x: 'entries', xs: THOUSANDS, order: 'O(1)', side: op('memory getOrSet hit', 20_000), context: (entries) => ({ entries }) },
  { name: 'memory set by entries', x: 'entries', xs: THOUSANDS, order: 'O(1)', side: op('memory set', 5000), context: (entries) => ({ entries }) },
  { name: 'heap per entry by entries', x: 'entries', xs: THOUSANDS, order: 'O(1)', side: op('heap per entry', 1), context: (entries) => ({ entries }), rounds: 1, warmUps: 1 },
  { name: 'memory get by tags per entry', x: 'tags per entry', xs: TAGS_PER_ENTRY, order: 'O(n)', side: op('memory get', 20_000), context: (perEntry) => ({ perEntry }) },
  { name: 'memory set by tags per entry', x: 'tags per entry', xs: TAGS_PER_ENTRY, order: 'O(n)', side: op('memory set', 5000), context: (perEntry) => ({ perEntry }) },
  { name: 'Redis get by tags per entry', x: 'tags per entry', xs: TAGS_PER_ENTRY, order: 'O(n)', side: op('redis get', 500), context: (perEntry) => ({ perEntry }), needsRedis: true },
  { name: 'Redis set by tags per entry', x: 'tags per entry', xs: TAGS_PER_ENTRY, order: 'O(n)', side: op('redis set', 500), context: (perEntry) => ({ perEntry }), needsRedis: true },
  { name: 'memory invalidate by tags in use', x: 'tags in use', xs: TAGS_IN_USE, order: 'O(1)', side: op('memory invalidate', 5000), context: (inUse) => ({ inUse, entries: inUse, perEntry: 1 }) },
  { name: 'memory invalidate by entries of the tag', x: 'entries with the tag', xs: THOUSANDS, order: 'O(1)', side: op('memory invalidate', 20), context: (entries) => ({ entries, perEntry: 1, inUse: 1 }) },
  { name: 'memory get by tags in use', x: 'tags in use', xs: TAGS_IN_USE, order: 'O(1)', side: op('memory get', 20_000), context: (inUse) => ({ inUse, entries: inUse, perEntry: 1 }) },
  { name: 'Redis invalidate by tags in use', x: 'tags in use', xs: TAGS_IN_USE.slice(0, 4), order: 'O(1)', side: op('redis invalidate', 300), context: (inUse) => ({ inUse, entries: inUse, perEntry: 1 }), needsRedis: true },
  { name: 'Redis invalidate by entries of the tag', x: 'entries with the tag', xs: THOUSANDS.slice(0, 3), order: 'O(1)', side: op('redis invalidate', 300), context: (entries) => ({ entries, perEntry: 1, inUse: 1 }), needsRedis: true },
  { name: 'memory get, freeze, by value size', x: 'bytes', xs: BYTES, order: 'O(1)', side: op('memory get', 20_000), context: (bytes) => ({ bytes, entries: 50 }) },
  { name: 'memory get, clone, by value size', x: 'bytes', xs: BYTES, order: 'O(n)', side: op('memory get', 50), context: (bytes) => ({ bytes, entries: 50, isolation: 'clone' }) },
  { name: 'Redis get by value size', x: 'bytes', xs: BYTES, order: 'O(n)', side: op('redis get', 50), context: (bytes) => ({ bytes, entries: 50 }), needsRedis: true },
  { name: 'stored response by size', x: 'bytes', xs: BYTES, order: 'O(n)', side: { ...http, calls: 200 }, context: (bytes) => growing({ bytes }) },
  { name: 'stored response by connections', x: 'connections', xs: [1, 4, 16, 64, 256], order: 'O(1)', side: http, context: (connections) => growing({}, { connections }) },
  { name: 'stored response by routes', x: 'routes', xs: COUNTS, order: 'O(1)', side: http, context: (routes) => growing({ routes }) },
  { name: 'observed getOrSet by key patterns', x: 'key patterns', xs: COUNTS, order: 'O(1)', side: op('patterns', 10_000), context: (count) => ({ count }) },
  { name: 'Redis get by processes', x: 'processes that read', xs: [1, 2, 3, 4], order: 'O(1)', side: op('redis get', 500), context: () => ({ perEntry: 2 }), processes: (count) => count, needsRedis: true },
  { name: 'Redis set by processes', x: 'processes that write', xs: [1, 2, 3, 4], order: 'O(1)', side: op('redis set', 500), context: () => ({ perEntry: 2 }), processes: (count) => count, needsRedis: true }
]
