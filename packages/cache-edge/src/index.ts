/** What HTTP sees of the cache: ETags, conditional requests, `Cache-Control` and kept responses. */
export {}
