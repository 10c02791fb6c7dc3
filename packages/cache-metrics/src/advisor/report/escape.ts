/**
 * Characters that a terminal executes or that disguise a text: control characters except the line feed and the tab, line
 * separators, marks of text direction, and unpaired surrogates.
 */
const UNPRINTABLE = /[^\P{Cc}\n\t]|[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Cs}/gu
/** Characters with a meaning in Markdown at any position; `@` makes a link of an address. */
const MARKS = /[\\`*_[\]|&~@]|<(?=[a-z/!?])/gi
/** Marks that begin a heading, a quotation, a list, a rule or an underline at the start of a line. */
const BLOCK = /^([#>+\-=]|\d+(?=[.)](?:\s|$)))/
const SHELL_SAFE = /^[\w@%+=:,./*-]*$/

/** Removes the characters of a text that a terminal may execute or that disguise the text; its lines stay. */
export function printable (text: string): string {
  return text.replace(UNPRINTABLE, '')
}

/** Makes a text one line for a terminal or a log, without characters that a terminal may execute. */
export function oneLine (text: string): string {
  return printable(text.replace(/[\r\n\t\u2028\u2029]+/g, ' '))
}

/** Text that Markdown (CommonMark and the tables and links of GitHub) shows as it is, within a line or in a cell of a table. */
export function forMarkdown (text: string): string {
  return oneLine(text).trim()
    .replace(MARKS, '\\$&')
    // A bare URL is broken up, since GitHub would make a link of it.
    .replaceAll('://', '\\://').replace(/www\./gi, (www) => `${www.slice(0, 3)}\\.`)
}

/** An item of a list of Markdown. */
export function listItem (text: string): string {
  return `- ${forMarkdown(text).replace(BLOCK, (start) => /\d/.test(start) ? `${start}\\` : `\\${start}`)}`
}

/** The text without the escapes of Markdown: the reverse of `forMarkdown`. */
export function fromMarkdown (text: string): string {
  return text.replace(/\\([!-/:-@[-`{-~])/g, '$1')
}

/** A code span of Markdown, also for a cell of a table. */
export function codeSpan (text: string): string {
  const line = oneLine(text).trim()
  const ticks = ticksAround(line, 1)
  const pad = line === '' || line.startsWith('`') || line.endsWith('`') ? ' ' : ''
  return `${ticks}${pad}${line.replaceAll('|', '\\|')}${pad}${ticks}`
}

/** A code block of Markdown, with a fence that no line of the code contains. */
export function codeBlock (language: string, code: string): string {
  const fence = ticksAround(code, 3)
  return `${fence}${language}\n${code}\n${fence}`
}

/** A value of JSON as a literal of JavaScript, in ASCII; `__proto__`, which would set a prototype, is left out. */
export function jsLiteral (value: unknown): string {
  return asciiJson(JSON.stringify(value, (key, part: unknown) => key === '__proto__' ? undefined : part, 2))
}

/** Returns JSON text of the same value with ASCII characters only; other characters are escaped. */
export function asciiJson (json: string): string {
  return json.replace(/[^ -~\n]/g, unicodeEscape)
}

/** Escapes a text for a comment in a line of code, in ASCII. */
export function forComment (text: string): string {
  return text.replace(/[^ -~]/g, unicodeEscape)
}

/** Text quoted as one word of a POSIX shell. */
export function shellWord (text: string): string {
  return SHELL_SAFE.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

function unicodeEscape (unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** A row of backticks longer than any in a text, and at least `least` long. */
function ticksAround (text: string, least: number): string {
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length))
  return '`'.repeat(Math.max(least, longest + 1))
}
