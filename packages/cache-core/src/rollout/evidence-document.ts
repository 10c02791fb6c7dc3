import type { Cohorts } from './cohorts.js'
import { Comparison } from './comparison.js'

/** The number of bytes in front of the encoded evidence of a canary: three numbers as IEEE 754 binary64. */
const HEAD_BYTES = 24

/** The evidence that the decider stores, with the time and the stage that it belongs to. */
export interface EvidenceDocument {
  readonly comparison: Comparison
  /** The member `since` of the shared state when the evidence was stored: it identifies the stage that the evidence is about. */
  readonly since: number
  /** The last minute whose counts were added to the evidence, in minutes since 1970 by the rollout store's clock; `NaN`: none. */
  readonly lastMinute: number
  /**
   * Minutes that are added to the rollout store's time after its clock was set back. The number is a multiple of a day, so that hours of
   * the day stay the same.
   */
  readonly shift: number
}

/** Returns the evidence of a canary's stage as bytes. */
export function encodeEvidence ({ comparison, since, lastMinute, shift }: EvidenceDocument): Uint8Array {
  const sums = comparison.encode()
  const bytes = new Uint8Array(HEAD_BYTES + sums.length)
  const head = new DataView(bytes.buffer)
  for (const [at, number] of [since, lastMinute, shift].entries()) head.setFloat64(8 * at, number)
  bytes.set(sums, HEAD_BYTES)
  return bytes
}

/**
 * Reads the bytes that `encodeEvidence` returned; `undefined`: they are damaged, or come from another version of the package or from other
 * stages.
 */
export function decodeEvidence (bytes: Uint8Array, cohorts: Cohorts): EvidenceDocument | undefined {
  if (bytes.length < HEAD_BYTES) return undefined
  const head = new DataView(bytes.buffer, bytes.byteOffset, HEAD_BYTES)
  const sums = Comparison.decode(bytes.subarray(HEAD_BYTES), cohorts)
  if (!sums.ok) return undefined
  return { comparison: sums.value, since: head.getFloat64(0), lastMinute: head.getFloat64(8), shift: head.getFloat64(16) }
}
