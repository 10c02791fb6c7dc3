import { runTogether } from '../../../../.config/run-together.js'

await runTogether(import.meta.dirname)
