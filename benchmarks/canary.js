// Measures the cost of a canary in its baseline, where it only measures requests. Rival: the same app at percent 0 without a canary.
// Wanted: at most 1.02 times the rival's CPU time per request; each request makes one getOrSet.
import { compareKinds } from './compare/kinds.js'

await compareKinds('canary', 'server CPU time per request', [
  { title: 'with an idle canary / without', one: { canary: true }, other: { canary: false } }
])
