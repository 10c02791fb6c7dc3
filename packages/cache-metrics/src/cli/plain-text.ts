import { fromMarkdown } from '../advisor/report/escape.js'

/** Converts a Markdown report to plain text: the columns of tables are aligned, and Markdown marks are removed. */
export function toText (markdown: string): string {
  const lines: string[] = []
  let rows: string[][] = []
  let isCode = false
  for (const line of markdown.split('\n')) {
    if (!isCode && line.startsWith('| ')) {
      rows.push(line.slice(2, -2).split(' | ').map(cellText))
      continue
    }
    lines.push(...aligned(rows))
    rows = []
    if (line.startsWith('```')) isCode = !isCode
    else if (isCode) lines.push(line)
    else lines.push(fromMarkdown(line.replace(/^#+ (.*)$/, (_heading, title: string) => title.toUpperCase()).replaceAll('**', '')))
  }
  return lines.join('\n')
}

/** The text of a table cell, whose Markdown is a code span or escaped text. */
function cellText (cell: string): string {
  const code = /^(`+)( ?)(.*)\2\1$/.exec(cell)
  return code === null ? fromMarkdown(cell) : code[3]!.replaceAll('\\|', '|')
}

function aligned (rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_head, at) => Math.max(...rows.map((row, index) => index === 1 ? 0 : row[at]?.length ?? 0)))
  return rows.map((row, index) =>
    row.map((cell, at) => index === 1 ? '-'.repeat(widths[at]!) : cell.padEnd(widths[at] ?? 0)).join('  ').trimEnd())
}
