// Child process: one row on one build. Arguments: root of the build, file of the row, name of the row, context as JSON.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [, , root, file, name, context] = process.argv
// Packages come from the build, third-party ones as well: the versions belong to what is compared.
const from = createRequire(join(root, 'benchmarks/package.json'))
const load = (specifier) => import(pathToFileURL(from.resolve(specifier)).href)

const { rows } = await import(`./rows/${file}.js`)
const subject = await rows[name].start(load, JSON.parse(context))
let cpu, wall

function begin () {
  wall = process.hrtime.bigint()
  cpu = process.cpuUsage()
}

/** Nanoseconds since `begin`: CPU time of this process, user and system, and wall time. */
function end () {
  const { user, system } = process.cpuUsage(cpu)
  return { cpu: (user + system) * 1000, wall: Number(process.hrtime.bigint() - wall) }
}

// A child outlives no parent.
process.on('disconnect', () => process.exit())
/** Does what the parent asks. A run that fails ends this process, with its error. */
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
