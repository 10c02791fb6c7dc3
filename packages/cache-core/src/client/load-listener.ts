import type { Loader } from '../contract/loader.js'

/** A function that is called with each value that a loader returned; must not throw. */
export type OnLoad = (key: string, value: unknown) => void

/** Wraps a loader so that `onLoad` is called with each value that it returns. */
export function withLoadListener<T> (key: string, loader: Loader<T>, onLoad: OnLoad): Loader<T> {
  return async function observedLoader (context) {
    const value = await loader(context)
    onLoad(key, value)
    return value
  }
}
