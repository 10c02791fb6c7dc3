// Stands in for async-hook-domain, by which tap finds the claim that an error belongs to that nobody caught. That package
// follows every promise of the process, for a tenth of the processor time of the tests. Claims run one after the other
// here, so the error belongs to the one that runs.
import root from 'tap'

process.on('uncaughtExceptionMonitor', (error, origin) => {
  if (process.hasUncaughtExceptionCaptureCallback() || process.listenerCount('uncaughtException') > 0) return
  let test = root
  for (let inner = test; inner !== undefined; inner = [...inner.activeSubtests ?? []].at(-1)) test = inner
  test.threw(Object.assign(typeof error === 'object' && error !== null ? error : new Error(String(error)), { tapCaught: origin }))
  // Once: the claim has failed, and the others still run.
  process.setUncaughtExceptionCaptureCallback(() => process.setUncaughtExceptionCaptureCallback(null))
})

export class Domain {
  destroy () {}
}
