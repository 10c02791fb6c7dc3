import { runScript } from './run-script.js'

await runScript('tsc: sources, tests, examples and benchmarks have no type error', 'types')
