/**
 * The value of a promise; `undefined`: the promise was not fulfilled within `ms` milliseconds.
 * @param isIdle whether the process may exit during the wait
 */
export async function within<T> (ms: number, pending: Promise<T>, isIdle = false): Promise<T | undefined> {
  let timer: NodeJS.Timeout
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
    if (isIdle) timer.unref()
  })
  return Promise.race([pending, limit]).finally(() => clearTimeout(timer))
}
