import { OtelMissing } from '../errors.js'

/**
 * Loads the export through OpenTelemetry, and with it the SDK: an optional peer dependency, since an app that does not use it should not install it.
 * @throws `CACHE_ERR_OTEL_MISSING` if the SDK is not installed
 */
export async function loadOtel (): Promise<typeof import('./otel.js')> {
  try {
    return await import('./otel.js')
  } catch (cause) {
    // A package that the SDK itself lacks is another fault: installing the SDK would not mend it.
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND' && /package '@opentelemetry\/sdk-metrics'/.test(cause.message)
    throw isMissing ? new OtelMissing({ cause }) : cause
  }
}
