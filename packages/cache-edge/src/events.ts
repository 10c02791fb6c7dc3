declare module '@x/cache-core/suite' {
  interface CacheEvents {
    /** Emitted for a GET or HEAD whose response a shared cache may store, whether or not a stored response answers it. */
    edgeCandidate: [route: string, method: string]
    /** Emitted for a conditional request to which the response is 304. */
    etagMatch: [route: string, method: string]
  }
}

export {}
