import type { StoredHead } from '../store/stored-response.js'

const TOKEN = '[!#$%&\'*+\\-.^_`|~\\dA-Za-z]+'
/** A media type with its parameters (RFC 9110 §8.3.1), in the forms that all parsers read alike. */
const MEDIA_TYPE = new RegExp(`^(?<type>${TOKEN}/${TOKEN})(?:[ \\t]*;[ \\t]*${TOKEN}=(?:${TOKEN}|"[ !#-\\[\\]-~]*"))*$`)

/**
 * The `Content-Type` that Fastify sends with a stored response: Fastify adds a `charset` to the type of a JSON text that names none.
 * `undefined`: the response has no type; `'unclear'`: Fastify may send another type.
 */
export function sentType ({ headers: { 'content-type': type }, isText }: StoredHead): string | undefined {
  if (type === undefined) return undefined
  const media = typeof type === 'string' ? MEDIA_TYPE.exec(type)?.groups!.type : undefined
  if (media === undefined) return 'unclear'
  return isText && /json/i.test(media) && !/;[ \t]*charset=/i.test(type as string) ? `${type as string}; charset=utf-8` : type as string
}
