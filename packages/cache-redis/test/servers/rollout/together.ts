import '@x/test-kit/redis-server'
import { runTogether } from '../../../../../.config/run-together.js'

await runTogether(import.meta.dirname)
