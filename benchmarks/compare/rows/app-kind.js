// One kind of an app of `apps/`, over HTTP: CPU time of the server's process per request, the client in another process.
// Context: `{ app, args, path, isMixed, isConditional }`. `isMixed` asks for ids by Zipf's law in place of the last part of `path`;
// `isConditional` asks with the entity tag of the response, for a 304.
const IDS = 10_000

async function start (_load, { app, args }) {
  const { start: startApp } = await import(`../../apps/${app}.js`)
  return { url: `http://127.0.0.1:${await startApp(...args)}` }
}

/** Sends a number of requests on 16 connections. Throws if one is answered with another status. */
async function client (origin, amount, { path, isMixed = false, isConditional = false }) {
  // The server's process reads this file, too, and has no use for a client.
  const { etagOf, rateOf } = await import('../../measure.js')
  const url = `${origin}${path}`
  const headers = isConditional ? { 'if-none-match': await etagOf(url) } : {}
  const which = isMixed ? { requests: mixedPaths(path) } : {}
  await rateOf(amount, { url, connections: 16, headers, statuses: [isConditional ? '304' : '200'], ...which })
}

let paths
/** The paths below one, with ids by Zipf's law: 10 000 of them. */
function mixedPaths (path) {
  paths ??= Array.from({ length: 4096 }, () => ({ path: `${path.slice(0, path.lastIndexOf('/') + 1)}${Math.floor(IDS ** Math.random())}` }))
  return paths
}

export const rows = { 'app kind': { calls: 2000, figure: 'cpu', start, client } }
