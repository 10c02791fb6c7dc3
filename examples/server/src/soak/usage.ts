// Loaded into a server in front of its own modules (--import), so that a soak can ask for its memory and handles: the server itself has no such door.

/** The heap and the handles of a process after a full garbage collection. */
export interface Usage {
  heapBytes: number
  rssBytes: number
  /** The resources that keep the event loop alive, such as sockets and timers, by kind. */
  handles: Record<string, number>
}

/** The message that asks for the usage; the answer is `{ usage }`. */
export const ASK = 'usage'

process.on('message', (message) => {
  if (message !== ASK) return
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  const handles: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1
  process.send?.({ usage: { heapBytes: heapUsed, rssBytes: rss, handles } satisfies Usage })
})
