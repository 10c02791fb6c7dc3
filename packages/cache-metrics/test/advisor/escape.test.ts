import fc from 'fast-check'
import t from 'tap'
import { runInNewContext } from 'node:vm'
import { asciiJson, codeBlock, codeSpan, forComment, forMarkdown, fromMarkdown, jsLiteral, listItem, oneLine, printable, shellWord } from '../../src/advisor/report/escape.js'
import { toText } from '../../src/cli/plain-text.js'
import { table } from '../../src/advisor/report/figures.js'
import { planText } from '../../src/advisor/report/plan-text.js'
import { anyCharacter } from '@x/test-kit/texts'

const NASTY = ['\u001b[2J', '\u009b2J', '\u007f', '\r', '\n', '\u2028', '\u202e', '|', '\\', '`', '```', '*', '_', '[a](http://b.example)', '<b>', '&lt;', '://', 'www.', '@', '# ', '- ', '1. ', '\'', '"', '$(x)', ';', '${', '*/', '__proto__', '\ud800', 'a', ' ', 'é']
const text = fc.oneof(fc.string({ unit: anyCharacter }), fc.array(fc.constantFrom(...NASTY)).map((parts) => parts.join('')))
const holds = (property: (value: string) => boolean) => fc.assert(fc.property(text, property), { numRuns: 500 })

t.test('printable: nothing that a terminal obeys is left, and printable text stays', async () => {
  holds((value) => !/[\p{Cc}\u2028-\u202e\u2066-\u2069]/u.test(printable(value).replaceAll(/[\t\n]/g, '')))
  holds((value) => !/[\n\r\t]/.test(oneLine(value)))
  fc.assert(fc.property(fc.string({ unit: 'grapheme-ascii' }), (value) => printable(value) === value))
})

t.test('forMarkdown: no mark stands unescaped, and the text comes back', async () => {
  holds((value) => !/[`*_[\]|&~@]|<[a-z/!?]/i.test(forMarkdown(value).replace(/\\[!-/:-@[-`{-~]/g, '')))
  holds((value) => !/(?<!\\):\/\/|www\./i.test(forMarkdown(value)))
  holds((value) => !/^- (?:[#>+=-]|\d+[.)](?:\s|$))/.test(listItem(value)))
  holds((value) => fromMarkdown(forMarkdown(value)) === oneLine(value).trim())
})

t.test('table: has as many cells as its head, whatever is in them, and plain text shows it as it is', async () => {
  fc.assert(fc.property(text, text, (one, two) => {
    const markdown = table(['A', 'B', 'C'], [[forMarkdown(one), codeSpan(two), 'end']])
    const [, , row] = markdown.split('\n')
    return markdown.split('\n').length === 3 && row!.split(/(?<!\\)\|/).length === 5 && toText(`${markdown}\n`).split('\n')[2]!.endsWith('end')
  }), { numRuns: 500 })
})

t.test('codeBlock: no line of the code ends it', async () => {
  holds((value) => {
    const [open, ...rest] = codeBlock('', value).split('\n')
    return rest.at(-1) === open && !rest.slice(0, -1).some((line) => line.trim().startsWith(open!))
  })
})

t.test('jsLiteral and asciiJson: are the value again, in ASCII', async (t) => {
  holds((value) => /^[ -~\n]*$/.test(jsLiteral([value])) && runInNewContext(`${jsLiteral([value])}[0]`) === value)
  holds((value) => JSON.parse(asciiJson(JSON.stringify(value))) === value)
  t.equal(jsLiteral(JSON.parse('{"__proto__":{"a":1},"b":2}')), '{\n  "b": 2\n}')
})

t.test('shellWord: is one word, and forComment one line', async () => {
  holds((value) => /^(?:[\w@%+=:,./*-]*|(?:'[^']*'|\\')+)$/.test(shellWord(value)))
  holds((value) => /^[ -~]*$/.test(forComment(value)))
})

t.test('planText: a pattern of another server does not become code', async () => {
  fc.assert(fc.property(text, text, (name, value) => {
    const code = planText({
      options: { implementation: 'memory', memory: { maxEntries: 1 }, patterns: { [name]: { ttl: 1, maxEntries: 1 } }, rollout: { allow: [name] } },
      edge: { rules: [{ prefix: `/${name}`, exact: true, maxAge: 1, store: true }] },
      redis: { near: { maxEntries: 1 }, rollout: { percent: 0 } },
      env: { A: value },
      expected: { hitRate: 0, routeHitRate: 0, savedSecondsPerHour: undefined, memoryBytes: undefined }
    }).replaceAll("register(import('@x/", "register(load('@x/")
    const calls: unknown[] = []
    // The code runs up to its first `await`, which is the registration of the core, so only that registration is checked.
    runInNewContext(`(async () => {\n${code}\n})()`, { app: { register: (_plugin: unknown, options: unknown) => { calls.push(options) } }, process: { env: {} }, load: () => ({}) })
    return calls.length === 1 && (calls[0] as { rollout: { allow: string[] } }).rollout.allow[0] === name
  }), { numRuns: 300 })
})
