// Measures the cost of a stored response that is sent before the hooks of the app, and of its 304. Rivals: a Fastify route that sends a
// constant Buffer, or a constant 304, with the same headers, and bare node:http that writes the same bytes. CPU time of the server's
// process per request, over 16 connections. Wanted: an early answer at most 0.95 times the constant route and 1.10 times node:http.
import { compareKinds } from './compare/kinds.js'

const RATIOS = [
  ['early-hook', 'constant', 0.95], ['early-server', 'constant', 0.95], ['early-hook', 'node', 1.10], ['early-server', 'node', 1.10],
  ['cached', 'constant', 1.10], ['node', 'constant']
]
const STORED = new Set(['cached', 'early-hook', 'early-server'])

for (const isConditional of [false, true]) {
  // For a 304 the rivals are servers that send nothing but a 304.
  const kindOf = (name) => ({ app: 'http', args: [isConditional && !STORED.has(name) ? `${name}304` : name], path: '/rows', isConditional })
  await compareKinds('app-kind', `${isConditional ? '304' : 'stored response'}: CPU time of the server per request`, RATIOS.map(([one, other, atMost]) =>
    ({ title: `${one} / ${other}`, one: kindOf(one), other: kindOf(other), atMost })))
}
