// Writes grafana/*.json: npm run dashboards -w packages/cache-metrics
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FILES } from './files.js'

for (const [name, text] of Object.entries(FILES)) writeFileSync(join(import.meta.dirname, '../grafana', name), text)
