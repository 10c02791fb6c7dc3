// The cost of a canary that only measures, in its baseline.
// Rival: the same app at percent 0 without a canary. Wanted: at most 1.02 of the server's CPU time per request, with one getOrSet.
import { compareKinds } from './compare/kinds.js'

await compareKinds('canary', 'server CPU time per request', [
  { title: 'with an idle canary / without', one: { canary: true }, other: { canary: false } }
])
