declare module '@x/cache-core/suite' {
  interface CacheEvents {
    /** Emitted for a request that the edge may answer. */
    edgeCandidate: [route: string, method: string]
    /** Emitted for a conditional request that is answered with 304. */
    etagMatch: [route: string, method: string]
  }
}

export {}
