import { fromMarkdown } from '../advisor/report/escape.js'

/**
 * The smallest width, in characters, of a wrapped last column. If a table has less room for the last column, its cells are printed below
 * their rows.
 */
const MIN_LAST_COLUMN = 24

/**
 * Converts a Markdown report to plain text: the columns of tables are aligned, and Markdown marks are removed.
 * @param width the number of characters after which texts, and the last column of a table, are wrapped
 */
export function toText (markdown: string, width = Infinity): string {
  const lines: string[] = []
  let rows: string[][] = []
  let isCode = false
  for (const line of markdown.split('\n')) {
    if (!isCode && line.startsWith('| ')) {
      rows.push(line.slice(2, -2).split(' | ').map(cellText))
      continue
    }
    lines.push(...aligned(rows, width))
    rows = []
    if (line.startsWith('```')) isCode = !isCode
    else if (isCode) lines.push(line)
    else lines.push(...proseOf(line, width))
  }
  return lines.join('\n')
}

/** Returns the text of a table cell of the report. The Markdown of a cell is a code span or an escaped text. */
function cellText (cell: string): string {
  const code = /^(`+)( ?)(.*)\2\1$/.exec(cell)
  return code === null ? fromMarkdown(cell) : code[3]!.replaceAll('\\|', '|')
}

function proseOf (line: string, width: number): string[] {
  const text = fromMarkdown(line.replace(/^#+ (.*)$/, (_heading, title: string) => title.toUpperCase()).replaceAll('**', ''))
  const indent = text.startsWith('- ') ? '  ' : ''
  return wrapped(text, width - indent.length).map((part, at) => at === 0 ? part : indent + part)
}

function aligned (rows: readonly string[][], width: number): string[] {
  const widths = (rows[0] ?? []).map((_head, at) => Math.max(...rows.map((row, index) => index === 1 ? 0 : row[at]?.length ?? 0)))
  const aligned = rows.map((row, index) => row.map((cell, at) => index === 1 ? '-'.repeat(widths[at]!) : cell.padEnd(widths[at] ?? 0)))
  const beside = widths.slice(0, -1).reduce((sum, each) => sum + each + 2, 0)
  const last = widths.at(-1) ?? 0
  if (beside + last <= width || last < MIN_LAST_COLUMN) return aligned.map((cells) => cells.join('  ').trimEnd())
  const isBeside = width - beside >= MIN_LAST_COLUMN
  const indent = isBeside ? beside : 2
  return aligned.flatMap((cells, index) => {
    const row = cells.slice(0, -1).join('  ')
    const text = index === 1 ? '-'.repeat(width - indent) : cells.at(-1)!.trimEnd()
    const lines = wrapped(text, width - indent).map((line) => ' '.repeat(indent) + line)
    if (isBeside) return [row + lines[0]!.slice(row.length), ...lines.slice(1)]
    return index === 1 ? [row] : [row.trimEnd(), ...lines]
  })
}

/** Splits a text at its blanks into lines of at most `width` characters; a longer word is a line of its own. */
function wrapped (text: string, width: number): string[] {
  if (text.length <= width) return [text]
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line === undefined || line.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return lines
}
