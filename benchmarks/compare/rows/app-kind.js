// One kind of an app of `apps/`, over HTTP: CPU time of the server's process per request, the client in another process.
// Context: `{ app, args, path, headers, status, isMixed }`.
const IDS = 10_000

async function start (_load, { app, args }) {
  const { start: startApp } = await import(`../../apps/${app}.js`)
  return { url: `http://127.0.0.1:${await startApp(...args)}` }
}

/** Sends a number of requests on 16 connections. Throws if one is answered with another status. */
async function client (url, amount, { path, headers, status = 200, isMixed = false }) {
  // The server's process reads this file, too, and has no use for a client.
  const { rateOf } = await import('../../measure.js')
  const which = isMixed ? { requests: mixedPaths(path) } : {}
  await rateOf(amount, { url: `${url}${path}`, connections: 16, headers: await resolve(headers, `${url}${path}`), statuses: [String(status)], ...which })
}

/** The headers to send: `'etag'` stands for a condition with the tag of the current response. */
async function resolve (headers, url) {
  if (headers !== 'etag') return headers
  const response = await fetch(url, { headers: { connection: 'close' } })
  await response.arrayBuffer()
  return { 'if-none-match': response.headers.get('etag') }
}

let paths
/** The paths below one, with ids by Zipf's law: 10 000 of them. */
function mixedPaths (path) {
  return paths ??= Array.from({ length: 4096 }, () => ({ path: `${path.slice(0, path.lastIndexOf('/') + 1)}${Math.floor(IDS ** Math.random())}` }))
}

export const rows = { 'app kind': { calls: 2000, figure: 'cpu', start, client } }
