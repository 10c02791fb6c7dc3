/**
 * Characters that a terminal would execute or that disguise a text: control characters except the line feed and the tab, line separators,
 * marks of text direction, and unpaired surrogates.
 */
const UNPRINTABLE = /[^\P{Cc}\n\t]|[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Cs}/gu
/** Characters with a meaning in Markdown at any position; `@` is one of them, since it turns an address into a link. */
const MARKS = /[\\`*_[\]|&~@]|<(?=[a-z/!?])/gi
/** Marks that begin a heading, a quotation, a list, a rule or an underline at the start of a line. */
const BLOCK = /^([#>+\-=]|\d+(?=[.)](?:\s|$)))/
const SHELL_SAFE = /^[\w@%+=:,./*-]*$/

/** Removes the characters of a text that a terminal would execute or that disguise the text; line breaks stay. */
export function printable (text: string): string {
  return text.replace(UNPRINTABLE, '')
}

/** Makes a text one line for a terminal or a log, without characters that a terminal may execute. */
export function oneLine (text: string): string {
  return printable(text.replace(/[\r\n\t\u2028\u2029]+/g, ' '))
}

/**
 * Escapes a text so that Markdown (CommonMark, and the tables and links of GitHub) shows it unchanged, within a line or in a cell of a
 * table.
 */
export function forMarkdown (text: string): string {
  return oneLine(text).trim()
    .replace(MARKS, '\\$&')
    // GitHub would turn a bare URL into a link, so the URL is escaped as well.
    .replaceAll('://', '\\://').replace(/www\./gi, (www) => `${www.slice(0, 3)}\\.`)
}

/** Returns a text as an item of a Markdown list. */
export function listItem (text: string): string {
  return `- ${forMarkdown(text).replace(BLOCK, (start) => /\d/.test(start) ? `${start}\\` : `\\${start}`)}`
}

/** Removes the escapes of Markdown from a text: the reverse of `forMarkdown`. */
export function fromMarkdown (text: string): string {
  return text.replace(/\\([!-/:-@[-`{-~])/g, '$1')
}

/** Returns a text as a code span of Markdown, which is also valid in a cell of a table. */
export function codeSpan (text: string): string {
  const line = oneLine(text).trim()
  const ticks = ticksAround(line, 1)
  const pad = line === '' || line.startsWith('`') || line.endsWith('`') ? ' ' : ''
  return `${ticks}${pad}${line.replaceAll('|', '\\|')}${pad}${ticks}`
}

/** Returns code as a code block of Markdown, with a fence that no line of the code contains. */
export function codeBlock (language: string, code: string): string {
  const fence = ticksAround(code, 3)
  return `${fence}${language}\n${code}\n${fence}`
}

/** Returns a value of JSON as a literal of JavaScript, in ASCII. A member `__proto__` is left out, since it would set a prototype. */
export function jsLiteral (value: unknown): string {
  return asciiJson(JSON.stringify(value, (key, part: unknown) => key === '__proto__' ? undefined : part, 2))
}

/** Returns a JSON text with the same value in ASCII; other characters are escaped. */
export function asciiJson (json: string): string {
  return json.replace(/[^ -~\n]/g, unicodeEscape)
}

/** Escapes a text, in ASCII, so that it can stand in a comment in a line of code. */
export function forComment (text: string): string {
  return text.replace(/[^ -~]/g, unicodeEscape)
}

/** Quotes a text as one word of a POSIX shell. */
export function shellWord (text: string): string {
  return SHELL_SAFE.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

function unicodeEscape (unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Returns a row of backticks that is longer than any row in the text, and at least `least` long. */
function ticksAround (text: string, least: number): string {
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length))
  return '`'.repeat(Math.max(least, longest + 1))
}
