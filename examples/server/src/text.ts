/** Formats a number with commas: 76118 → 76,118 */
export function formatCount (count: number): string {
  return count.toLocaleString('en-US')
}

/** Formats a table as lines of text: the first column is aligned left, the others are aligned right. */
export function textTable (head: string[], rows: string[][]): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)))
  return [head, ...rows].map((row) =>
    `  ${row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join('   ')}`)
}
