/** A computed ETag, with the body from which it was computed. */
export interface Tagged {
  readonly etag: string
  readonly body: string | Uint8Array
  /** The `Content-Encoding` of the body from which the ETag was computed. */
  readonly coding: unknown
}

/** The names of labels: headers that describe a body. A hook before the handler may set them for the body that the handler then sends. */
export const LABELS = ['content-type', 'content-language'] as const

/** The response headers that hooks had set before the handler ran. */
export type Before = Readonly<Record<string, string | string[]>>

/** Returns those of the given headers that are {@link LABELS}, with their values. */
export function labelsIn (headers: Before): [name: typeof LABELS[number], value: string | string[]][] {
  return LABELS.flatMap((name) => headers[name] === undefined ? [] : [[name, headers[name]]])
}

/** The response of a handler, as it was before any onSend hook. */
export interface RecordedResponse {
  readonly status: number
  /**
   * The headers that the handler set, and the {@link LABELS} that hooks had set before the handler ran; other headers of hooks are not
   * included.
   */
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly before: Before
  /** Whether the body was made by a serializer that a hook chose before the handler ran. */
  readonly isSerialisedByHook: boolean
  /** The `ETag` that the app itself had set; `undefined`: none. */
  readonly etag: string | undefined
  readonly body: Buffer
  /** Whether the handler sent the body as a string or an object. */
  readonly isText: boolean
}

/** The response as it was sent, after every onSend hook. */
export interface Final {
  readonly status: number
  /** The headers of the sent response without those that this plugin wrote. */
  readonly headers: Readonly<Record<string, string | string[]>>
  /** The computed ETag with its body; `undefined`: no ETag was computed, or the app set its own. */
  readonly tagged: Tagged | undefined
}
