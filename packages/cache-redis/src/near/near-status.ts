/** The state of a near cache, in `status().near`. */
export interface NearStatus {
  entries: number
  /** Bytes of the copies in the heap and in the contents of Buffers. */
  bytes: number
  /** Reads that the near cache answered since the start. */
  hits: number
  /**
   * The longest time, in milliseconds, for which an entry is served that another process has removed or replaced, if the connection for
   * messages is interrupted without an error. Otherwise it is served until one message has arrived.
   */
  ageBoundMs: number
}
