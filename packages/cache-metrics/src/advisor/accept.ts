/** Whether an Accept header prefers Markdown to JSON (RFC 9110 §12.5.1). `text/plain` counts as Markdown if JSON is not accepted. */
export function wantsMarkdown (accept = ''): boolean {
  const json = quality(accept, ['application/json', 'application/*', '*/*'])
  return quality(accept, ['text/markdown', 'text/x-markdown']) > json || (json === 0 && quality(accept, ['text/plain', 'text/*']) > 0)
}

/** The highest quality value that an Accept header gives to one of `ranges`; 0: the header lists none of these media ranges. */
function quality (accept: string, ranges: readonly string[]): number {
  return Math.max(0, ...accept.split(',').map((item) => {
    const [range, ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    if (!ranges.includes(range!)) return 0
    const weight = parameters.find((parameter) => parameter.startsWith('q='))
    return weight === undefined ? 1 : Number(weight.slice(2)) || 0
  }))
}
