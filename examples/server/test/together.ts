import { join } from 'node:path'
import { runTogether } from '../../../.config/run-together.js'

// The small examples, too: a process for each would take longer than their tests.
await runTogether(import.meta.dirname, ...['custom-cache', 'guide', 'minimal'].map((name) => join(import.meta.dirname, '../..', name, 'test')))
