import { Type } from 'typebox'

const share = Type.Object({ rate: Type.Number(), low: Type.Number(), high: Type.Number() })
const both = (arm: Parameters<typeof Type.Object>[0]) => Type.Array(Type.Object({
  name: Type.String(), sentence: Type.String(), cached: Type.Object(arm), control: Type.Object(arm)
}))
const verdict = Type.Union(['go', 'no-go', 'inconclusive', 'not enough data'].map((each) => Type.Literal(each)))
const maybe = Type.Optional(Type.Number())
const text = Type.Optional(Type.String())

/**
 * The schema of an advisor's report that comes from the network: the parts that are printed or decide the exit status. Other parts are
 * passed on unchecked.
 */
export const reportSchema = Type.Object({
  version: Type.Literal(1),
  generatedAt: Type.String(),
  source: Type.String(),
  observedSeconds: Type.Number(),
  requests: Type.Number(),
  verdict,
  advice: Type.Array(Type.Object({
    kind: Type.Union([Type.Literal('pattern'), Type.Literal('route')]),
    name: Type.String(),
    verdict: Type.String(),
    judgement: Type.Optional(Type.Object({ kind: Type.String(), reason: text, remedy: text })),
    priority: Type.Optional(Type.String()),
    requestsPerHour: Type.Number(),
    meanSeconds: maybe,
    ttl: Type.Number(),
    entries: Type.Number(),
    hitRate: Type.Number(),
    margin: Type.Number(),
    savedSecondsPerHour: maybe,
    memoryBytes: maybe,
    staleness: Type.Optional(Type.Object({ rate: Type.Number(), high: Type.Number() }))
  })),
  gates: Type.Array(Type.Object({
    name: Type.String(),
    formula: Type.String(),
    source: Type.String(),
    threshold: Type.String(),
    value: maybe,
    unit: Type.String(),
    verdict
  })),
  plan: Type.Optional(Type.Object({
    options: Type.Object({}),
    env: Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), Type.String(), { additionalProperties: false }),
    edge: Type.Optional(Type.Object({})),
    redis: Type.Optional(Type.Object({})),
    expected: Type.Object({ hitRate: maybe, routeHitRate: maybe, savedSecondsPerHour: maybe })
  })),
  arms: Type.Optional(Type.Object({
    percent: Type.Number(),
    seconds: Type.Number(),
    sentence: Type.String(),
    routes: both({ requests: Type.Number(), failures: share, p50: maybe, p95: maybe, p99: maybe }),
    patterns: both({ reads: Type.Number(), hits: share, loads: Type.Number(), loadsPerRead: Type.Number() })
  })),
  shadow: Type.Optional(Type.Array(Type.Object({ keyPattern: Type.String(), text: Type.String(), verdict }))),
  ledger: Type.Optional(Type.Object({
    seconds: Type.Number(),
    rows: Type.Array(Type.Object({
      impl: Type.String(),
      keyPattern: Type.String(),
      reads: Type.Number(),
      hits: Type.Number(),
      savedSeconds: maybe,
      costSeconds: Type.Number(),
      netSeconds: maybe,
      cost: Type.Object({ serialize: Type.Number() }),
      savedBytes: maybe,
      heldBytes: maybe,
      verdict: Type.String(),
      text: Type.String()
    }))
  })),
  notes: Type.Array(Type.String())
})
