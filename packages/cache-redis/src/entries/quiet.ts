/** Handles the rejection of a promise that is awaited later, or not at all: an unhandled rejection would end the process. */
export function quiet<T> (promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
