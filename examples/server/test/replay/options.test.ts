import t from 'tap'
import { parseOptions } from '../../src/replay/options.js'

t.test('parseOptions: without arguments a made-up trace goes to a server of its own', async (t) => {
  t.match(parseOptions([], '/here'), { trace: undefined, url: undefined, path: '/api/records/:id', concurrency: 16, limit: Infinity, format: 'text' })
})

t.test('parseOptions: file names start where npm was called', async (t) => {
  t.match(parseOptions(['--trace', '../t.gz'], '/here/there'), { trace: '/here/t.gz' })
})

t.test('parseOptions: --check-lru keeps the order', async (t) => {
  t.match(parseOptions(['--check-lru', '500'], '/'), { checkLru: 500, concurrency: 1 })
  t.match(parseOptions(['--check-lru', '500', '--concurrency', '1'], '/'), { concurrency: 1 })
})

t.test('parseOptions: --compare has users', async (t) => {
  t.match(parseOptions(['--compare'], '/'), { compare: true, users: 100 })
  t.match(parseOptions(['--compare', '--users', '7'], '/'), { compare: true, users: 7 })
  t.match(parseOptions([], '/'), { compare: false, users: undefined })
})

t.test('parseOptions: --help', async (t) => t.equal(parseOptions(['-h'], '/'), 'help'))

for (const args of [
  ['--check-lru', '5', '--concurrency', '2'], ['--concurrency', '0'], ['--rate', 'fast'], ['--users', '0'], ['--limit', '1.5'], ['--limit', '-1'],
  ['--path', '/api/records'], ['--path', 'x/:id'], ['--url', 'localhost:8900'], ['--format', 'xml'], ['--what'], ['file.gz'], ['--trace']
]) {
  t.test(`parseOptions: ${args.join(' ')} is refused`, async (t) => {
    t.throws(() => parseOptions(args, '/'), { code: 'APP_ERR_USAGE' })
  })
}
