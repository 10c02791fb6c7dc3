type Listener = (...args: any[]) => void
type Emitter = { on (event: string, listener: Listener): unknown; off (event: string, listener: Listener): unknown }
type Shared = { readonly listeners: Set<Listener>; readonly dispatch: Listener }

const sharedBy = new WeakMap<object, Map<string, Shared>>()

/**
 * Listens to an event of a client; returns the function that removes the listener. All caches on one client share one listener per event,
 * so that any number of caches stays below Node's limit of ten. Listeners must not throw.
 */
export function listen (emitter: Emitter, event: string, listener: Listener): () => void {
  const events = sharedBy.get(emitter) ?? new Map<string, Shared>()
  sharedBy.set(emitter, events)
  let shared = events.get(event)
  if (shared === undefined) {
    const listeners = new Set<Listener>()
    const dispatch: Listener = (...args) => { for (const each of [...listeners]) each(...args) }
    shared = { listeners, dispatch }
    events.set(event, shared)
    emitter.on(event, dispatch)
  }
  const { listeners, dispatch } = shared
  listeners.add(listener)
  return () => {
    if (!listeners.delete(listener) || listeners.size > 0) return
    events.delete(event)
    emitter.off(event, dispatch)
  }
}
