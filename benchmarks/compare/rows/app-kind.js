// A row (an operation to measure) of `table.js` and `growth.js`: requests to one kind of an app in `apps/`. The figure is the CPU time of
// the server's process per request; the client runs in another process. Context: `{ app, args, path, isMixed, isConditional, connections
// }`. With `isMixed` the last part of `path` is replaced by ids that follow Zipf's law; with `isConditional` requests have the entity tag
// of the response, so that the response is a 304.
const IDS = 10_000

async function start (load, { app, args }) {
  const { start: startApp } = await import(`../../apps/${app}.js`)
  return { url: `http://127.0.0.1:${await startApp(...args, load)}` }
}

/** Sends a number of requests over 16 connections or the given number. Throws if a response has another status than the expected one. */
async function client (origin, amount, { path, isMixed = false, isConditional = false, connections = 16 }) {
  // The module is imported here, since the server's process also reads this file and does not need it.
  const { etagOf, send } = await import('../../measure.js')
  const url = `${origin}${path}`
  const headers = isConditional ? { 'if-none-match': await etagOf(url) } : {}
  const which = isMixed ? { requests: mixedPaths(path) } : {}
  await send(amount, { url, connections, headers, statuses: [isConditional ? '304' : '200'], ...which })
}

/** The number of paths of one turn: autocannon prepares each of them for each connection, which took most of the time with all paths. */
const OF_TURN = 128

let paths
/** Returns paths below the given path, whose last part is an id by Zipf's law: each turn has others of the same 4096. */
function mixedPaths (path) {
  paths ??= Array.from({ length: 4096 }, () => ({ path: `${path.slice(0, path.lastIndexOf('/') + 1)}${Math.floor(IDS ** Math.random())}` }))
  const from = OF_TURN * Math.floor(Math.random() * paths.length / OF_TURN)
  return paths.slice(from, from + OF_TURN)
}

// V8 still compiles the code of a server during its first 20 000 requests, on threads whose time counts as well.
export const rows = { 'app kind': { calls: 2000, warmUps: 14, pairsPerBlock: 15, figure: 'cpu', start, client } }
