/** Whether Markdown is wanted more than JSON (RFC 9110 §12.5.1); `text/plain` stands for it where JSON is not wanted at all. */
export function wantsMarkdown (accept = ''): boolean {
  const json = quality(accept, ['application/json', 'application/*', '*/*'])
  return quality(accept, ['text/markdown', 'text/x-markdown']) > json || (json === 0 && quality(accept, ['text/plain', 'text/*']) > 0)
}

/** The highest quality of these ranges; 0: none of them is there. */
function quality (accept: string, ranges: readonly string[]): number {
  return Math.max(0, ...accept.split(',').map((item) => {
    const [range, ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    if (!ranges.includes(range!)) return 0
    const weight = parameters.find((parameter) => parameter.startsWith('q='))
    return weight === undefined ? 1 : Number(weight.slice(2)) || 0
  }))
}
