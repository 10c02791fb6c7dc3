import { join } from 'node:path'
import { runTogether } from '../../../.config/run-together.js'

// The tests of the small examples run here as well, since a process for each of them would take longer than the tests.
await runTogether(import.meta.dirname, ...['custom-cache', 'guide', 'minimal'].map((name) => join(import.meta.dirname, '../..', name, 'test')))
