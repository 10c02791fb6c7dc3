import { acceptWeight } from '@x/cache-core/suite'

/** Whether an Accept header prefers Markdown to JSON. `text/plain` counts as Markdown if JSON is not accepted. */
export function wantsMarkdown (accept = ''): boolean {
  const json = acceptWeight(accept, 'application/json')
  return Math.max(acceptWeight(accept, 'text/markdown'), acceptWeight(accept, 'text/x-markdown')) > json ||
    (json === 0 && acceptWeight(accept, 'text/plain') > 0)
}
