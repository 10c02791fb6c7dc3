/** The state of a near cache, in `status().near`. */
export interface NearStatus {
  entries: number
  /** Bytes of the copies in the heap and in the contents of Buffers. */
  bytes: number
  /** The number of reads that the near cache has answered since the start of the process. */
  hits: number
  /**
   * The longest time, in milliseconds, for which an entry is served that another process has removed or replaced, if the connection for
   * messages is interrupted without an error. If the connection works, the entry is served only until the message about it has arrived.
   */
  ageBoundMs: number
}
