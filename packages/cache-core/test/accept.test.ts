import t from 'tap'
import { acceptWeight } from '../src/http/accept.js'

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'

for (const [accept, html, json] of [
  [undefined, 1, 1],
  ['', 1, 1],
  [' ', 1, 1],
  ['*/*', 1, 1],
  [BROWSER, 1, 0.8],
  ['application/json', 0, 1],
  ['text/*', 1, 0],
  ['text/*;q=0.3, text/html;q=0.7, */*;q=0.5', 0.7, 0.5],
  ['text/html;q=0, */*', 0, 1],
  ['TEXT/HTML ; Q=0.5', 0.5, 0],
  ['text/html;level=1;q=0.4', 0.4, 0],
  ['text/html;q=many', 0, 0],
  ['text/html;q=7', 1, 0],
  ['text/html;q=-1', 0, 0],
  ['a/b;x="text/html,application/json"', 0, 0],
  [',,', 0, 0]
] as const) {
  t.test(`acceptWeight: ${JSON.stringify(accept)} gives HTML ${html} and JSON ${json}`, async (t) => {
    t.equal(acceptWeight(accept, 'text/html'), html)
    t.equal(acceptWeight(accept, 'application/json'), json)
  })
}
