#!/usr/bin/env node
// A committed file, since npm links a bin at install only if it exists, and dist/ does not exist before the build.
import { existsSync } from 'node:fs'

const built = new URL('../dist/cli.js', import.meta.url)
if (existsSync(built)) await import(built.href)
else {
  process.stderr.write('cache-advisor: is not built yet: run "npm run build" at the top of the repository\n')
  process.exitCode = 3
}
