import autocannon from 'autocannon'

/** Returns the median of numbers. */
export function median (numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

/**
 * Measures the wall time of one awaited call of each rival in nanoseconds. The rivals run in turns; the result is the median of the rounds.
 */
export async function time (rivals, { calls = 200_000, rounds = 9 } = {}) {
  const times = Object.fromEntries(Object.keys(rivals).map((name) => [name, []]))
  for (let round = -1; round < rounds; round++) {
    for (const [name, call] of Object.entries(rivals)) {
      const began = process.hrtime.bigint()
      for (let i = 0; i < calls; i++) await call(i)
      // The first round is not counted, since code is compiled during it.
      if (round >= 0) times[name].push(Number(process.hrtime.bigint() - began) / calls)
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, all]) => [name, median(all)]))
}

/** Returns the CPU time of awaited calls in nanoseconds, without the time of other processes. */
export async function cpuOf (call, calls = 1) {
  const began = process.cpuUsage()
  for (let i = 0; i < calls; i++) await call(i)
  const { user, system } = process.cpuUsage(began)
  return (user + system) * 1000
}

/**
 * Measures the CPU time of one awaited call of each rival in nanoseconds, without the time of other processes. The rivals run in turns; the
 * result is the median of the rounds.
 */
export async function cpuTime (rivals, { calls = 5000, rounds = 81 } = {}) {
  const times = Object.fromEntries(Object.keys(rivals).map((name) => [name, []]))
  for (let round = -3; round < rounds; round++) {
    for (const [name, call] of Object.entries(rivals)) {
      const taken = await cpuOf(call, calls)
      // The first rounds are not counted, since code is compiled during them.
      if (round >= 0) times[name].push(taken / calls)
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, all]) => [name, median(all)]))
}

/** Returns the entity tag of the response to a GET. */
export async function etagOf (url) {
  const response = await fetch(url, { headers: { connection: 'close' } })
  await response.arrayBuffer()
  return response.headers.get('etag')
}

/** The microseconds for which the client computes after each response. */
const CLIENT_COMPUTES_US = 20

/**
 * Computes for a while, so that the client, and not the server, is the side that the other side waits for. A server that is as fast as its
 * client finds several requests at once, and a slower one wakes the sleeping client with each response: either changes the CPU time per
 * request by more than the difference that is to be measured.
 */
function compute () {
  const end = performance.now() + CLIENT_COMPUTES_US / 1000
  while (performance.now() < end);
}

/** Sends a number of requests. Throws if a response has a status that is not in `statuses`. */
export async function send (amount, { statuses = ['200', '304'], ...options }) {
  const setupClient = (client) => client.on('response', compute)
  const { errors, statusCodeStats } = await autocannon({ connections: 32, amount, sampleInt: 10, timeout: 60, setupClient, ...options })
  const wrong = Object.keys(statusCodeStats).filter((status) => !statuses.includes(status))
  if (errors > 0 || wrong.length > 0) throw new Error(`${errors} requests failed; statuses ${wrong.join(', ')}`)
}

/** Prints a table with the name, the figure and, where there is one, the wanted figure of each row. */
export function report (title, rows) {
  console.log(`\n${title}`)
  for (const [name, figure, wanted] of rows) {
    console.log(`  ${name.padEnd(44)} ${figure}${wanted === undefined ? '' : `   (wanted: ${wanted})`}`)
  }
}
