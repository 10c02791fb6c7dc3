declare module '@x/cache-core/suite' {
  interface CacheEvents {
    /** A request arrived that the edge may answer. */
    edgeCandidate: [route: string, method: string]
    /** A conditional request was answered 304. */
    etagMatch: [route: string, method: string]
  }
}

export {}
