import { runScript } from './run-script.js'

await runScript('the API reports in packages/*/api are up to date, and each exported name has a docstring', 'docs:api', '--check')
await runScript('the packed packages install and work in an app of their own', 'pack:check')
