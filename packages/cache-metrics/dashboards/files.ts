import { candidatesDashboard } from './candidates.js'
import { operation } from './operation.js'
import { toJson } from './panels.js'

/** The dashboards by the name of their file in `grafana/`. */
export const FILES: Record<string, string> = {
  'cache-operation.json': toJson(operation()),
  'cache-candidates.json': toJson(candidatesDashboard())
}
