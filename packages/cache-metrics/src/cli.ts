#!/usr/bin/env node
import { main } from './cli/main.js'

// The reader of a pipe may close it before the end, as in `cache-advisor report … | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
process.exitCode = await main(process.argv.slice(2), process)
