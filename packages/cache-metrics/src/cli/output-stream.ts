/** An output stream. */
export interface Out { write (text: string): unknown; readonly isTTY?: boolean }
