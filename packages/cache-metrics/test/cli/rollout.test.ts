import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { readArguments } from '../../src/cli/arguments.js'
import { run } from '../fixtures/run-cli.js'

const times = { p50: 4, p95: 12, p99: 31.4 }
const arm = { requests: 20_000, failures: 10, ...times, reads: 1000, hits: 700, loads: 300, cacheErrors: 0, operations: 1000 }
const VIEW = {
  percent: 10,
  stage: 1,
  stages: [10, 50, 100],
  paused: false,
  killed: false,
  completed: false,
  advance: 'auto',
  holdOut: 1,
  patterns: { 'user.list': 20 },
  observedMinutes: 90,
  minutesToCount: 2880,
  arms: { cached: arm, control: { ...arm, hits: 0, loads: 1000, requests: 180_000 } },
  comparison: 'cached arm: p99 41 % lower (±6), errors unchanged, 38 % fewer loads',
  verdict: 'wait',
  reason: '1.5 of 48 hours observed',
  gates: [
    { name: 'sample', value: 20_000, threshold: '>= 10000', unit: 'requests', verdict: 'go', reason: '20000 requests of the cached arm' },
    { name: 'p99 against control', threshold: 'back if certainly more', unit: 'points', verdict: 'wait', reason: 'not | enough data' }
  ],
  history: [{ at: '2026-01-02T03:04:05.000Z', from: 0, to: 10, by: 'canary', reason: '24 of 24 hours observed', stage: 1 }]
}

interface Asked { method: string; body: unknown; headers: Record<string, unknown> }

/** Starts an app that answers the endpoints of a rollout; returns its address, and the requests that it got. */
async function answering (t: Test, status: number, body: unknown): Promise<{ url: string; asked: Asked[] }> {
  const app: FastifyInstance = Fastify()
  const asked: Asked[] = []
  app.route({
    method: ['GET', 'POST'],
    url: '/internal/cache/rollout',
    handler: async ({ method, body: sent, headers }, reply) => {
      asked.push({ method, body: sent, headers })
      return reply.code(status).type('application/json').send(typeof body === 'string' ? body : JSON.stringify(body))
    }
  })
  t.teardown(() => app.close())
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }), asked }
}

t.test('rollout: a percent below that of its stage is on the way to it', async (t) => {
  const printed = async (view: object): Promise<string> => (await run(['rollout', 'status', '--app', (await answering(t, 200, { ...VIEW, ...view })).url])).stdout
  t.match(await printed({ percent: 3.71 }), '- 3.71 % of the subjects are cached, rising to 10 %, hold-out 1 %: stage 1 of 3')
  t.match(await printed({ percent: 49, stage: 3 }), '- 49 % of the subjects are cached, rising to 100 %, hold-out 1 %: stage 3 of 3')
  t.notMatch(await printed({ percent: 100, stage: 3 }), 'rising')
  t.notMatch(await printed({ percent: 0, stage: 0 }), 'rising')
  t.notMatch(await printed({ percent: 0, killed: true }), 'rising')
  t.notMatch(await printed({ percent: 0, problem: 'the state cannot be read' }), 'rising')
})

t.test('rollout status: reads, and prints stage, arms, criteria and history', async (t) => {
  const { url, asked } = await answering(t, 200, VIEW)
  const { status, stdout, stderr } = await run(['rollout', 'status', '--app', url])
  t.equal(stderr, '')
  t.equal(status, 2, 'it waits')
  t.match(asked, [{ method: 'GET' }])
  t.match(stdout, /^# Rollout\n\n- 10 % of the subjects are cached, hold-out 1 %: stage 1 of 3 \(10 → 50 → 100\), goes on by itself\n- 90 of 2,880 minutes counted/)
  t.match(stdout, '- key pattern user.list: 20 %')
  t.match(stdout, 'cached arm: p99 41 % lower (±6), errors unchanged, 38 % fewer loads')
  t.match(stdout, '| cached | 20,000 | 0.05 % | 4 ms | 12 ms | 31.4 ms | 70 % | 30 % |')
  t.match(stdout, 'Verdict: **wait**, 1.5 of 48 hours observed.')
  t.match(stdout, '| p99 against control | – | back if certainly more | wait | not \\| enough data |')
  t.match(stdout, '| 2026-01-02T03:04:05.000Z | 0 | 10 | canary | 24 of 24 hours observed |')
  t.match((await run(['rollout', 'status', '--app', url, '--format', 'text'])).stdout, /^ROLLOUT\n[^]*\ncached +20,000 /)
  t.same(JSON.parse((await run(['rollout', 'status', '--app', url, '--format', 'json'])).stdout), VIEW)
})

t.test('rollout status: --format text is read in a terminal of 80 columns', async (t) => {
  const reason = 'not enough data: a regression of 20 % could not be seen yet (±43 %), the hold-out has had 2412 requests'
  const gates = ['latency against the control arm', 'loads per read against the control arm'].map((name) => ({ ...VIEW.gates[1], name, reason }))
  const measured = { ...arm, requests: 1_234_567, p50: 0.56521, p95: 12.3456, p99: 1234.56 }
  const history = [{ ...VIEW.history[0], reason }]
  const arms = { cached: measured, control: measured }
  const { url } = await answering(t, 200, { ...VIEW, arms, reason, gates, history, problem: reason })
  const { stdout } = await run(['rollout', 'status', '--app', url, '--format', 'text'])
  t.same(stdout.split('\n').filter((line) => line.length > 80), [])
  t.equal(stdout.replace(/\s+/g, ' ').split(reason).length, 6, 'the reason is in the verdict, both gates, the history and the problem')
})

t.test('rollout status: a completed rollout that is paused says both', async (t) => {
  const { url } = await answering(t, 200, { ...VIEW, completed: true, paused: true })
  t.match((await run(['rollout', 'status', '--app', url])).stdout, /, complete, paused\n/)
})

t.test('rollout status: the exit status says how the stage goes', async (t) => {
  for (const [changed, status] of [
    [{ verdict: 'go' }, 0], [{ completed: true }, 0], [{ verdict: 'back' }, 1], [{ killed: true, verdict: 'go' }, 1], [{ verdict: undefined }, 2],
    [{ verdict: 'go', problem: 'the state cannot be read' }, 2], [{ paused: true }, 2]
  ] as const) {
    t.equal((await run(['rollout', 'status', '--app', (await answering(t, 200, { ...VIEW, ...changed })).url])).status, status, JSON.stringify(changed))
  }
})

t.test('rollout: an action is posted, carried out, and what is then is printed', async (t) => {
  const { url, asked } = await answering(t, 200, { ...VIEW, killed: true })
  for (const [argv, body] of [
    [['pause'], { action: 'pause' }], [['resume'], { action: 'resume' }], [['back'], { action: 'back' }], [['off'], { action: 'off' }],
    [['to', '50'], { action: 'to', percent: 50 }], [['to', '0'], { action: 'to', percent: 0 }],
    [['to', '12.5', '--pattern', 'user'], { action: 'to', percent: 12.5, pattern: 'user' }], [['off', '--pattern=user'], { action: 'off', pattern: 'user' }]
  ] as const) {
    const { status, stdout, stderr } = await run(['rollout', ...argv, '--app', `${url}/`, '--header', 'x-guard: 1'])
    t.equal(stderr, '')
    t.equal(status, 0)
    t.match(stdout, 'off by the kill switch')
    t.match(asked.at(-1), { method: 'POST', body, headers: { 'x-guard': '1', 'content-type': 'application/json' } })
  }
})

t.test('rollout: a refusal is one sentence that names what to do, without what was sent as a secret', async (t) => {
  const conflict = { statusCode: 409, code: 'CACHE_ERR_ROLLOUT_CONFLICT', error: 'FastifyError', message: 'The rollout cannot do that now: hunter2x\u001b[2J Instead: s4cretvalue' }
  const { url } = await answering(t, 409, conflict)
  const { status, stdout, stderr } = await run(['rollout', 'back', '--app', url.replace('//', '//someone:hunter2x@'), '--header', 'x-guard: Bearer s4cretvalue'])
  t.equal(status, 3)
  t.equal(stdout, '')
  t.match(stderr, /answers 409: The rollout cannot do that now: …\[2J Instead: …\n$/)
  const cases: [number, unknown, RegExp][] = [
    [404, {}, /answers 404: is this the address of the app, with its prefix.*has the app a canary .*exposed/],
    [401, {}, /answers 401: .*--header/],
    [302, {}, /a redirect/],
    [405, {}, /refuses the method/],
    [500, { code: 'OTHER', message: 'a secret of the app' }, /answers 500\n$/],
    [503, { code: 'CACHE_ERR_ROLLOUT_UNAVAILABLE', message: 'The state cannot be reached' }, /answers 503: The state cannot be reached\n$/],
    [400, { code: 'CACHE_ERR_ROLLOUT_ACTION', message: 'x'.repeat(10_000) }, /^.{0,700}\n$/],
    ...['', 'null', '{}', '[]', JSON.stringify({ ...VIEW, stages: 'many' }), JSON.stringify({ ...VIEW, verdict: 'maybe' })]
      .map((body): [number, unknown, RegExp] => [200, body, /not with a rollout: is it the app/])
  ]
  for (const [code, body, sentence] of cases) {
    const ran = await run(['rollout', 'to', '10', '--app', (await answering(t, code, body)).url])
    t.equal(ran.status, 3, String(code))
    t.equal(ran.stdout, '')
    t.match(ran.stderr, /^cache-advisor: .*\n$/)
    t.match(ran.stderr, sentence)
  }
})

t.test('rollout: what a terminal would obey is left out', async (t) => {
  const history = [{ ...VIEW.history[0], reason: 'a\u001b[2Jb\u009bc' }]
  const { url } = await answering(t, 200, { ...VIEW, comparison: 'x\u0007', patterns: { 'a\u001b': 1 }, history })
  for (const format of ['markdown', 'text']) t.notMatch((await run(['rollout', 'status', '--app', url, '--format', format])).stdout, /[^\P{Cc}\n]/u)
})

t.test('rollout: a mistake in the command line is a sentence that names it', async (t) => {
  const mistakes: [RegExp, ...string[]][] = [
    [/What follows rollout is one of status, pause, resume, back, to, off/, 'rollout', '--app', 'http://a'],
    [/not "forward"/, 'rollout', 'forward', '--app', 'http://a'],
    [/There is no app: give --app URL/, 'rollout', 'status'],
    [/--trace does not go with rollout/, 'rollout', 'status', '--trace', 'x'],
    [/--window does not go with rollout/, 'rollout', 'status', '--app', 'http://a', '--window', '1d'],
    [/takes a percent from 0 to 100/, 'rollout', 'to', '--app', 'http://a'],
    [/takes a percent from 0 to 100, not "101"/, 'rollout', 'to', '101', '--app', 'http://a'],
    [/takes a percent from 0 to 100, not "50%"/, 'rollout', 'to', '50%', '--app', 'http://a'],
    [/more than "rollout off"/, 'rollout', 'off', '5', '--app', 'http://a'],
    [/more than "rollout to N"/, 'rollout', 'to', '5', '6', '--app', 'http://a'],
    [/--pattern goes with .* not with "rollout pause"/, 'rollout', 'pause', '--pattern', 'x', '--app', 'http://a'],
    [/--pattern goes with the command rollout/, 'report', '--pattern', 'x', '--app', 'http://a'],
    [/--app takes a URL/, 'rollout', 'status', '--app', 'a']
  ]
  for (const [sentence, ...argv] of mistakes) t.throws(() => readArguments(argv), { code: 'CACHE_ERR_ADVISOR', message: sentence }, argv.join(' '))
})

t.test('gates: of an app with a canary have the criteria of its stage; a stage that must go back is no-go', async (t) => {
  for (const [rollout, verdict, status] of [[VIEW, 'wait', 2], [{ ...VIEW, verdict: 'back' }, 'back', 1]] as const) {
    const app = Fastify()
    t.teardown(() => app.close())
    const report = { version: 1, generatedAt: 'now', source: 'this process', observedSeconds: 1, requests: 1, verdict: 'not enough data', advice: [], gates: [], notes: [] }
    app.get('/internal/cache/advice', async () => report)
    app.get('/internal/cache/rollout', async () => rollout)
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    const markdown = await run(['gates', '--app', url])
    t.equal(markdown.status, status)
    t.match(markdown.stdout, `## Stage of 10 %\n\nVerdict: **${verdict}**`)
    t.match(markdown.stdout, '| sample | 20,000 requests | >= 10000 | go | 20000 requests of the cached arm |')
    t.match(JSON.parse((await run(['gates', '--app', url, '--format', 'json'])).stdout), { rollout: { percent: 10, verdict, gates: VIEW.gates } })
    t.notMatch((await run(['report', '--app', url])).stdout, 'Stage of', 'the report is the advice')
  }
})
