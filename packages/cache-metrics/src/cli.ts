#!/usr/bin/env node
import { main } from './cli/main.js'

// The reader of a pipe may close it before the end of the output, as in `cache-advisor report … | head`, so the error EPIPE is ignored.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
process.exitCode = await main(process.argv.slice(2), process)
