import { JSON_FORMATS } from './json-formats.js'
import type { LogFormat } from './log-entry.js'
import { PINO_FORMAT } from './pino-format.js'
import { TEXT_FORMATS } from './text-formats.js'
import { W3C_FORMATS } from './w3c-formats.js'

/** The formats of access logs that are recognised. No line has the shape of two of them. */
export const LOG_FORMATS: readonly LogFormat[] = [...TEXT_FORMATS, ...W3C_FORMATS, ...JSON_FORMATS, PINO_FORMAT]
