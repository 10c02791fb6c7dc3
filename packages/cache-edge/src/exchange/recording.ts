import { finished, Readable } from 'node:stream'

/** The result of recording a body: the whole body, or the reason why there is none. */
export type Recorded = Buffer | 'too-large' | 'no-memory' | 'broken-off'

/** Bytes that a recorded Buffer takes beside its content, counted so that a body of tiny chunks is bounded, too. */
const CHUNK_OVERHEAD = 128

/** The limit for the bytes that all recordings of an app hold together. */
export class RecordingMemory {
  readonly #maxBytes: number
  readonly #onFull: () => void
  #used = 0

  /**
   * Creates the limit, with no recorded chunk counted yet.
   * @param onFull called whenever a chunk exceeds the limit
   */
  constructor (maxBytes: number, onFull: () => void) {
    this.#maxBytes = maxBytes
    this.#onFull = onFull
  }

  get used (): number { return this.#used }

  /** Counts a recorded chunk; `false`: the recordings of the app now exceed their limit. */
  take (chunk: Buffer): boolean {
    this.#used += chunk.byteLength + CHUNK_OVERHEAD
    if (this.#used <= this.#maxBytes) return true
    this.#onFull()
    return false
  }

  release (chunk: Buffer): void {
    this.#used -= chunk.byteLength + CHUNK_OVERHEAD
  }
}

/**
 * Passes a stream on to a reader and records it. The source is read at the pace of the reader, or ahead of it while other requests wait. If
 * the source stops without an end, the recording is destroyed.
 */
export class Recording extends Readable {
  readonly #source: Readable
  readonly #maxBytes: number
  readonly #memory: RecordingMemory
  #onEnd: ((recorded: Recorded) => void) | undefined
  /** The chunks of the recorded body. During the recording: all chunks so far. Afterwards: the chunks that were not read yet. */
  #chunks: Buffer[] = []
  /** The number of recorded chunks that the reader of the recording has received. */
  #given = 0
  #bytes = 0
  #isAhead = false
  #isWanted = false
  #hasStarted = false
  #hasEnded = false

  /**
   * Prepares the recording of a source (a stream of the app). The recording begins with the first read of its reader, or before.
   * @param onEnd called once, unless the recording was stopped before
   */
  constructor (
    source: Readable, { maxBytes, memory }: { readonly maxBytes: number; readonly memory: RecordingMemory },
    onEnd: (recorded: Recorded) => void
  ) {
    super()
    this.#source = source
    this.#maxBytes = maxBytes
    this.#memory = memory
    this.#onEnd = onEnd
    source.once('end', () => this.#whole())
    // Node's `finished` also reports a source stream that closes without the events `end` and `error`, or that had ended before this call.
    finished(source, { writable: false }, (error) => {
      if (error == null) this.#whole()
      else if (!this.#hasEnded) this.destroy(error)
    })
    // A source stream that the app reads as well is recorded at once, since chunks before the first read of the client would be lost.
    if (source.readableFlowing === true) this.#start()
  }

  /** Reads the source stream ahead of the reader, since other requests wait for the recording. */
  runAhead (): void {
    this.#isAhead = true
    if (this.#hasStarted) this.#give()
  }

  /** Stops the recording: the source stream is only passed on, at the pace of its reader. */
  stop (): void {
    if (this.#onEnd === undefined) return
    this.#onEnd = undefined
    for (const chunk of this.#chunks.splice(0, this.#given)) this.#memory.release(chunk)
    this.#given = 0
  }

  override _read (): void {
    this.#isWanted = true
    this.#start()
    this.#give()
  }

  override _destroy (error: Error | null, callback: (error?: Error | null) => void): void {
    const isWhole = this.#hasEnded
    this.#end('broken-off')
    for (const chunk of this.#chunks.splice(0)) this.#memory.release(chunk)
    this.#given = 0
    if (!isWhole) this.#source.destroy()
    callback(error)
  }

  #start (): void {
    if (this.#hasStarted) return
    this.#hasStarted = true
    this.#source.on('data', (chunk: unknown) => this.#take(chunk))
  }

  #take (chunk: unknown): void {
    if (this.destroyed) return
    const bytes = toBuffer(chunk)
    if (bytes === undefined) {
      this.destroy(new TypeError('A stream that is sent must give strings or bytes'))
      return
    }
    if (bytes.byteLength === 0) return
    this.#chunks.push(bytes)
    this.#bytes += bytes.byteLength
    const fits = this.#memory.take(bytes)
    if (this.#bytes > this.#maxBytes) this.#end('too-large')
    else if (!fits) this.#end('no-memory')
    this.#give()
  }

  #give (): void {
    const isRecording = this.#onEnd !== undefined
    while (this.#isWanted && this.#given < this.#chunks.length) {
      const chunk = this.#chunks[this.#given++]!
      if (!isRecording) this.#memory.release(chunk)
      // The reader receives a copy during the recording, since an onSend hook may change a chunk in place.
      this.#isWanted = this.push(isRecording ? Buffer.from(chunk) : chunk)
    }
    if (!isRecording) this.#chunks.splice(0, this.#given)
    if (!isRecording) this.#given = 0
    if (this.#hasEnded) {
      if (this.#given === this.#chunks.length) this.push(null)
    } else if (this.#isWanted || (isRecording && this.#isAhead)) {
      this.#source.resume()
    } else {
      this.#source.pause()
    }
  }

  #whole (): void {
    if (this.#hasEnded || this.destroyed) return
    this.#hasEnded = true
    if (this.#onEnd !== undefined) this.#end(Buffer.concat(this.#chunks))
    if (this.#hasStarted) this.#give()
  }

  #end (recorded: Recorded): void {
    const onEnd = this.#onEnd
    this.stop()
    onEnd?.(recorded)
  }
}

function toBuffer (chunk: unknown): Buffer | undefined {
  if (typeof chunk === 'string') return Buffer.from(chunk)
  if (Buffer.isBuffer(chunk)) return chunk
  return chunk instanceof Uint8Array ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : undefined
}
