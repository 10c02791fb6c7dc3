import type { FastifyInstance, FastifyReply, FastifyRequest, onSendHookHandler, RouteOptions } from 'fastify'
import type { Readable } from 'node:stream'
import { warn } from '../lib/notices.js'
import { NONE, Slot } from './slot.js'

// This file has every use of Fastify and Node beyond their documented interfaces, except `writeHead` (core's `whenHeadIsWritten`) and
// `addConstraintStrategy` (`early/seam.ts`). The comment of each use names the alternatives that were tried. `checkFastify` checks the uses
// against the app's version of Fastify at start.

const serializer = new Slot('fastify.reply.serializer')
const headers = new Slot('fastify.reply.headers')
const isError = new Slot('fastify.reply.isError')
const signal = new Slot('fastify.request.signal')
const context = new Slot('fastify.context')
const replyClass = new Slot('fastify.Reply')
const requestClass = new Slot('fastify.Request')

/**
 * An object of Fastify with its private properties. Functions that each hit calls read a property by `Slot.last`, the symbol that was found
 * last, in their own code: V8 optimises such a read for one symbol.
 */
type Slotted = object & { readonly [slot: symbol]: unknown }

/** The object in which Fastify stores the properties that all requests to a route share. */
export interface RouteContext {
  readonly config?: object
  /** The onSend hooks that run on a response of the route; `null`: none. */
  readonly onSend?: readonly { readonly name: string }[] | null
}

/**
 * The serializer that was set by `reply.serializer()`; `null`: none was set; {@link UNKNOWN}: this version of Fastify has no such slot.
 * Fastify has no getter for the serializer, and `reply.serialize()` does not show which function it calls.
 */
export function serializerOf (reply: FastifyReply): unknown {
  const known = (reply as unknown as Slotted)[serializer.last]
  return known === undefined ? serializer.read(reply) : known
}

/** The result of {@link serializerOf} in a version of Fastify without a slot for the serializer. */
export const UNKNOWN: unknown = NONE

/**
 * The fields that were set by `reply.header()`, with lower-case names, in the object that Fastify holds; `undefined`: this version of
 * Fastify has no such slot. `reply.getHeaders()` copies the fields, and `reply.header()` makes a lower-case text of each name.
 */
export function fieldsOf (reply: FastifyReply): Record<string, unknown> | undefined {
  const known = (reply as unknown as Slotted)[headers.last] ?? headers.read(reply)
  return known === NONE ? undefined : known as Record<string, unknown>
}

/**
 * Resets Fastify's flag for an error response, as after `handlerTimeout`, so that the next payload is not sent as an error. Fastify itself
 * resets the flag only when an error was sent.
 */
export function clearError (reply: FastifyReply): void {
  const slot = isError.in(reply)
  if (slot !== undefined) (reply as unknown as Record<symbol, unknown>)[slot] = false
}

/**
 * The signal of a request if the app has read `request.signal`, since listeners of the signal may stop the work of the handler.
 * `request.signal` itself is not read here, since reading it would create the signal.
 */
export function signalOf (request: FastifyRequest): AbortSignal | undefined {
  const controller = signal.read(request)
  return controller instanceof AbortController ? controller.signal : undefined
}

/**
 * The object of a route that all of its requests have in common; `undefined`: this version of Fastify has no such slot.
 * `request.routeOptions` lacks the hooks of the instance, and is created at each access.
 */
export function contextOf (request: FastifyRequest): RouteContext | undefined {
  const found = (request as unknown as Slotted)[context.last] ?? context.read(request)
  return typeof found === 'object' && found !== null ? found : undefined
}

/** The config of the route of a request. Each route has its own config object, so the object identifies the route. */
export function configOf (request: FastifyRequest): object | undefined {
  // The config is read from the context of the route first, since Fastify creates `routeOptions` anew at each access.
  return (contextOf(request) ?? request.routeOptions).config
}

/** The name that the function of an onSend hook has after Fastify has bound it to the instance by `bind`. */
export function boundName (hook: string): string {
  return `bound ${hook}`
}

/**
 * Whether Fastify removes the body of a HEAD response with this hook, on a HEAD route that Fastify added itself. Fastify's hook is
 * recognised by its name alone, since Fastify sets no other mark.
 */
export function isHeadHook ({ name }: onSendHookHandler): boolean {
  return name === 'headRouteOnSendHandler'
}

/**
 * Calls `intercept` with the next payload that the handler sends, and with the method that sends it. Replaces `reply.send` of this reply
 * alone. An onSend hook would be too late: it sees the body after hooks of plugins that were registered earlier, and a failure after the
 * error handler.
 */
export function interceptSend (
  reply: FastifyReply, intercept: (payload: unknown, send: (payload?: unknown) => FastifyReply) => FastifyReply
): void {
  const { send } = reply
  reply.send = (payload?: unknown) => intercept(payload, send.bind(reply))
}

/** Restores the method `send` of the reply's prototype after `interceptSend`. */
export function restoreSend (reply: FastifyReply): void {
  // The own property `send` is deleted, so that calls reach the method of the prototype again.
  delete (reply as { send?: unknown }).send
}

/**
 * Calls `listener` before a stream of the app makes its first chunk. Replaces `_read` of this stream alone. The events `resume` and
 * `readable` are emitted after the chunk was made, and a wrapping stream would be another payload for the onSend hooks.
 */
export function beforeFirstRead (stream: Readable, listener: () => void): void {
  const { _read } = stream
  stream._read = function (size) {
    stream._read = _read
    listener()
    _read.call(stream, size)
  }
}

/** A property with a replacement: `shown` is its value in the handler's view, `hidden` its original value. */
interface Replaced {
  readonly object: Record<string, unknown>
  readonly name: string
  readonly shown: unknown
  readonly hidden: unknown
  /**
   * Whether the original property is a getter of the prototype without a setter. An own property of the object then has the value `shown`,
   * and is deleted to restore the original.
   */
  readonly isOver: boolean
}

/**
 * Properties of a request and its raw message that have other values in the handler's view. A copy (`Object.create(request)`) would not
 * suffice: `reply.request`, a `WeakMap` of a plugin, and a stream over the raw message still lead to the original with all headers.
 */
export class ReplacedProperties {
  readonly #replaced: Replaced[] = []

  replace (object: object, name: string, shown: unknown): void {
    this.replaceUnread(object, name, shown, (object as Record<string, unknown>)[name])
  }

  /** Replaces a property without reading its current value, since reading would compute it. */
  replaceUnread (object: object, name: string, shown: unknown, hidden: unknown): void {
    this.#replaced.push({ object: object as Record<string, unknown>, name, shown, hidden, isOver: false })
  }

  /** Covers a property that is a getter of the prototype by an own property with another value. */
  cover (object: object, name: string, shown: unknown): void {
    this.#replaced.push({ object: object as Record<string, unknown>, name, shown, hidden: undefined, isOver: true })
  }

  show (): void {
    for (const { object, name, shown, isOver } of this.#replaced) {
      if (isOver) Object.defineProperty(object, name, { value: shown, configurable: true, writable: true, enumerable: true })
      else object[name] = shown
    }
  }

  hide (): void {
    for (const { object, name, hidden, isOver } of this.#replaced) {
      if (isOver) delete object[name]
      else object[name] = hidden
    }
  }
}

/**
 * Makes accessors for parts of a Fastify request (`id`, `ip`, `ips`). Data properties would not notice a read, and `ReplacedProperties`
 * would have to compute `ip` for each request. The accessors stay on the request: their removal costs more than the handler of a small
 * page.
 */
export function requestAccessors<R extends FastifyRequest> (
  parts: readonly string[], read: (request: R, part: string) => unknown, write: (request: R, part: string, value: unknown) => void
): PropertyDescriptorMap {
  return Object.fromEntries(parts.map((part) => [part, {
    get (this: R) { return read(this, part) },
    set (this: R, value: unknown) { write(this, part, value) },
    configurable: true,
    enumerable: true
  }]))
}

/**
 * Defines the onSend hooks of a route by accessors. Fastify reads the property once all plugins have loaded; an onRoute hook would miss the
 * hooks that later onRoute hooks add.
 */
export function accessOnSend (route: RouteOptions, get: () => onSendHookHandler[], set: (hooks: RouteOptions['onSend']) => void): void {
  Object.defineProperty(route, 'onSend', { get, set, enumerable: true, configurable: true })
}

type Construct = new (...args: unknown[]) => object

/** Returns the private properties of Fastify that this package reads and that the app's version of Fastify lacks. */
export function missingIn (fastify: FastifyInstance): string[] {
  const [Reply, Request] = [replyClass.read(fastify), requestClass.read(fastify)]
  if (typeof Reply !== 'function' || typeof Request !== 'function') return ['the classes of request and reply']
  // The check uses a stand-in for the raw message, since there is no request yet.
  const request = new (Request as Construct)('', {}, { on () {} }, {}, fastify.log, {})
  const reply = new (Reply as Construct)({}, request, fastify.log)
  return [
    serializer.read(reply) === null ? [] : 'reply.serializer',
    isError.read(reply) === false ? [] : 'reply.isError',
    typeof Reflect.get(reply, 'send') === 'function' && !Object.hasOwn(reply, 'send') ? [] : 'reply.send',
    hasSignalSlot(request) ? [] : 'request.signal',
    context.in(request) !== undefined ? [] : 'request.context'
  ].flat()
}

/**
 * Whether this package finds the controller of `request.signal` where it expects it, or this version of Fastify has no such signal. The
 * check calls the getter of Fastify's own class, since a decorator of the app with that name may need a real request.
 */
function hasSignalSlot (request: object): boolean {
  let own = Object.getPrototypeOf(request) as object
  for (let next = own; next !== Object.prototype; next = Object.getPrototypeOf(next) as object) own = next
  const getter = Object.getOwnPropertyDescriptor(own, 'signal')?.get
  if (getter === undefined) return true
  getter.call(request)
  return signal.read(request) instanceof AbortController
}

/** Warns if the app's version of Fastify lacks a private property that this package reads. The start continues, even if the check fails. */
export function checkFastify (fastify: FastifyInstance, find = missingIn): void {
  let missing: string[] = []
  let err: unknown
  try {
    missing = find(fastify)
  } catch (error) {
    err = error
  }
  if (missing.length === 0 && err === undefined) return
  warn(fastify.log, { fastify: fastify.version, missing, ...err === undefined ? {} : { err } }, 'Cache: this version of Fastify lacks private properties that @x/cache-edge reads, so that objects and streams may not be stored, nor stale responses served behind an error; use Fastify 5.12, or a newer @x/cache-edge')
}
