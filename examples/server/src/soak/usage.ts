// This module is loaded into a server before the server's own modules (`--import`), so that a soak can request memory and handles. The
// server itself has no endpoint for them.

/** The heap and the handles of a process after a full garbage collection. */
export interface Usage {
  heapBytes: number
  rssBytes: number
  /** The resources that keep the event loop alive, such as sockets and timers, by kind. */
  handles: Record<string, number>
}

/** The message with which a soak requests the usage from a server; the server replies with `{ usage }`. */
export const ASK = 'usage'

process.on('message', (message) => {
  if (message !== ASK) return
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  const handles: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1
  process.send?.({ usage: { heapBytes: heapUsed, rssBytes: rss, handles } satisfies Usage })
})
