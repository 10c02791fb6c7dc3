/** A report in Markdown as plain text: tables are aligned, and marks are left out. */
export function toText (markdown: string): string {
  const lines: string[] = []
  let rows: string[][] = []
  for (const line of markdown.split('\n')) {
    if (line.startsWith('| ')) {
      rows.push(line.slice(2, -2).split(/(?<!\\) \| /).map((cell) => cell.replaceAll('\\|', '|').replace(/^`(.*)`$/, '$1')))
      continue
    }
    lines.push(...aligned(rows))
    rows = []
    if (line.startsWith('```')) continue
    lines.push(line.replace(/^#+ (.*)$/, (_heading, title: string) => title.toUpperCase()).replaceAll('**', ''))
  }
  return lines.join('\n')
}

function aligned (rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_head, at) => Math.max(...rows.map((row, index) => index === 1 ? 0 : row[at]?.length ?? 0)))
  return rows.map((row, index) =>
    row.map((cell, at) => index === 1 ? '-'.repeat(widths[at]!) : cell.padEnd(widths[at] ?? 0)).join('  ').trimEnd())
}
