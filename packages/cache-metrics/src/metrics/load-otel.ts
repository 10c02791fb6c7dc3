import { OtelMissing } from '../errors.js'

/**
 * Loads the module for OpenTelemetry, which loads the SDK. The SDK is an optional peer dependency, so that an app which does not use it
 * need not install it.
 * @throws `CACHE_ERR_OTEL_MISSING` if the SDK is not installed
 */
export async function loadOtel (): Promise<typeof import('./otel.js')> {
  try {
    return await import('./otel.js')
  } catch (cause) {
    // A package that the SDK itself requires and does not find is a different error: installing the SDK would not remove it.
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND' && /package '@opentelemetry\/sdk-metrics'/.test(cause.message)
    throw isMissing ? new OtelMissing({ cause }) : cause
  }
}
