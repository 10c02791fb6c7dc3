/**
 * Returns a table of the report in Markdown.
 * @param rows the cells as Markdown; names that clients choose must be escaped by `forMarkdown`
 */
export function table (head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Returns a duration in seconds as text: 90 → `90 s`, 3600 → `1 h` */
export function duration (value: number): string {
  for (const [unit, size] of [['d', 86_400], ['h', 3600], ['min', 60]] as const) {
    if (value >= size) return `${Number((value / size).toPrecision(2))} ${unit}`
  }
  return `${Number(value.toPrecision(2))} s`
}

/** Returns a duration in seconds as text in a suitable unit: 0.0123 → `12 ms` */
export function seconds (value: number): string {
  if (value >= 1) return duration(value)
  return value >= 0.001 ? `${Number((value * 1000).toPrecision(2))} ms` : `${Math.round(value * 1e6)} µs`
}

/** Returns a number of bytes as text: 2048 → `2 KiB` */
export function bytes (value: number): string {
  for (const [unit, size] of [['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10]] as const) {
    if (value >= size) return `${Number((value / size).toPrecision(2))} ${unit}`
  }
  return `${value} B`
}

/** Returns a share as text in percent: 0.713 → `71 %` */
export function percent (share: number): string {
  return `${Math.round(share * 100)} %`
}

/** Returns a small share as text: 0.0003 → `3 per 10 000` */
export function per10000 (share: number): string {
  return `${Number((share * 10_000).toPrecision(2))} per 10 000`
}
