import { join } from 'node:path'
import { runTogether } from '../../../../.config/run-together.js'

// The tests of the guide that need a server run here as well, since starting a separate process would take longer than the tests.
await runTogether(import.meta.dirname, join(import.meta.dirname, '../../../guide/test/servers'))
