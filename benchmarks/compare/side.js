// The program of a child process that runs one row on one build. Arguments: the root of the build, the file of the row, the name of the
// row, and the context as JSON.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [, , root, file, name, context] = process.argv
// All packages, including third-party ones, come from the measured build, since their versions are part of the comparison.
const from = createRequire(join(root, 'benchmarks/package.json'))
const load = (specifier) => import(pathToFileURL(from.resolve(specifier)).href)

const { rows, rivals } = await import(`./rows/${file}.js`)
const subject = await ({ ...rows, ...rivals })[name].start(load, JSON.parse(context))
let cpu, wall

/** Returns the CPU time of this process, user and system, in nanoseconds. */
function ownCpu () {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}
const readCpu = subject.cpu ?? ownCpu

function begin () {
  wall = process.hrtime.bigint()
  cpu = readCpu()
}

/**
 * Returns the time since `begin` in nanoseconds: the CPU time of this process or of the servers that the row measures, and the wall time.
 */
function end () {
  return { cpu: readCpu() - cpu, wall: Number(process.hrtime.bigint() - wall) }
}

// The process ends when its parent disconnects.
process.on('disconnect', () => process.exit())
/** Carries out an action that the parent has sent. A run that fails ends this process with its error. */
async function answer ({ action, calls }) {
  if (action === 'begin') begin()
  if (action === 'run') {
    begin()
    const own = await subject.run(calls)
    process.send({ ...end(), own })
  } else {
    process.send(action === 'end' ? end() : {})
  }
}

process.on('message', (message) => { void answer(message) })
process.send({ url: subject.url })
