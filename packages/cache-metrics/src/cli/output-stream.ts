/** An output stream of `cache-advisor`, such as `process.stdout`. */
export interface Out { write (text: string): unknown; readonly isTTY?: boolean }
