// A row (an operation to measure) of `table.js`: requests for a response that nginx or Varnish has stored, with the shipped configuration.
// The figure is the CPU time of the proxy's processes. Context: `{ kind, isConditional }`.
import { readdirSync, readFileSync } from 'node:fs'
import { start as startApp } from '../../apps/http.js'
import { rows as appKinds } from './app-kind.js'

const PATH = '/rows'

/** Returns the ids of all processes that descend from a process. */
function descendants (root) {
  const children = new Map()
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const parent = parentOf(pid)
    if (parent !== undefined) children.set(parent, [...children.get(parent) ?? [], pid])
  }
  const found = [...children.get(String(root)) ?? []]
  for (const pid of found) found.push(...children.get(pid) ?? [])
  return found
}

/** Returns the parent of a process; `undefined` if the process has ended since its id was read. */
function parentOf (pid) {
  try {
    // The name of the program, in brackets, may contain spaces; the fields after it do not.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ')[1]
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error
    return undefined
  }
}

/**
 * Returns the CPU time of processes in nanoseconds, as the sum of their threads. It is read from schedstat, since /proc/PID/stat counts in
 * steps of 10 ms.
 */
function cpuOf (pids) {
  const times = pids.flatMap((pid) => readdirSync(`/proc/${pid}/task`).map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8')))
  return times.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0)
}

async function start (_load, { kind }) {
  const { Proxy } = await import('@x/test-kit/proxies')
  const origin = await startApp('cacheable')
  // The teardown of the fixture is empty, since the proxy ends when this process, which holds its standard input, ends.
  const { port } = await Proxy.start({ teardown () {} }, kind, origin)
  const pids = descendants(process.pid)
  return { url: `http://127.0.0.1:${port}`, cpu: () => cpuOf(pids) }
}

export const rows = {
  proxy: {
    // The loader is needed, since the test packages are written in TypeScript.
    nodeOptions: [`--import=${new URL('../../../.config/typescript-loader.js', import.meta.url)}`],
    calls: 4000,
    figure: 'cpu',
    start,
    client: (url, calls, { isConditional }) => appKinds['app kind'].client(url, calls, { path: PATH, isConditional })
  }
}
