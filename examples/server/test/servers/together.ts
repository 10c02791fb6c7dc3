import { join } from 'node:path'
import { runTogether } from '../../../../.config/run-together.js'

// The tests of the guide that need a server, too: a process of their own would take longer than they do.
await runTogether(import.meta.dirname, join(import.meta.dirname, '../../../guide/test/servers'))
