/** A computed entity tag, and the body that it was computed of. */
export interface Tagged {
  readonly etag: string
  readonly body: string | Uint8Array
  /** `Content-Encoding` at that time. */
  readonly coding: unknown
}

/** Headers that describe a body. Set by a hook in front of the handler, they belong to the body that the handler then made. */
export const LABELS = ['content-type', 'content-language'] as const

/** Headers as hooks in front of the handler had set them. */
export type Before = Readonly<Record<string, string | string[]>>

/** The labels among headers. */
export function labelsIn (headers: Before): [name: typeof LABELS[number], value: string | string[]][] {
  return LABELS.flatMap((name) => headers[name] === undefined ? [] : [[name, headers[name]]])
}

/** The response of a handler, as it was before any onSend hook. */
export interface RecordedResponse {
  readonly status: number
  /** The headers that the handler set, and the labels; no others that hooks in front of it had set already. */
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly before: Before
  /** Whether a serializer that a hook in front of the handler chose made the body. */
  readonly isSerialisedByHook: boolean
  /** The `ETag` that the app had given it. */
  readonly etag: string | undefined
  readonly body: Buffer
  /** Whether it was sent as a string, or as an object. */
  readonly isText: boolean
}

/** The response that the client was sent, once every onSend hook has run. */
export interface Final {
  readonly status: number
  /** Without those that this plugin wrote. */
  readonly headers: Readonly<Record<string, string | string[]>>
  /** Its computed tag. */
  readonly tagged: Tagged | undefined
}
