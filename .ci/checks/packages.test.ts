import { runScript } from './run-script.js'

await runScript('the packed packages install and work in an app of their own', 'pack:check')
