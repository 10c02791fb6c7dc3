import { PARAMETERS } from './structured-dictionary.js'

const STRING = '"(?:[ !#-[\\]-~]|\\\\["\\\\])*"'
const MEMBER = new RegExp(`(${STRING})${PARAMETERS}`, 'y')
const COMMA = /[\t ]*,[\t ]*/y
const SPACES = / +/y

/**
 * Parses a structured list of strings (RFC 9651 §3.1), such as `"a", "b";p=1`; parameters are ignored. `undefined`: the text is no such
 * list, also if one member has another type, so the whole field is ignored (RFC 9651 §4.2).
 */
export function parseStringList (text: string): string[] | undefined {
  return parseStrings(text.replace(/^ +/, ''), COMMA)
}

/** Parses the text of an inner list of strings (RFC 9651 §3.1.1), such as `("a" "b")`; `undefined`: the text is no such list. */
export function parseInnerStrings (text: string): string[] | undefined {
  return text.startsWith('(') && text.endsWith(')') ? parseStrings(text.slice(1, -1).replace(/^ +/, ''), SPACES) : undefined
}

function parseStrings (text: string, separator: RegExp): string[] | undefined {
  const strings: string[] = []
  let end = text.length
  while (text[end - 1] === ' ') end--
  let at = 0
  while (at < end) {
    MEMBER.lastIndex = at
    const member = MEMBER.exec(text)
    if (member === null) return undefined
    strings.push(member[1]!.slice(1, -1).replace(/\\(.)/g, '$1'))
    at = MEMBER.lastIndex
    if (at >= end) return strings
    separator.lastIndex = at
    if (!separator.test(text) || separator.lastIndex >= end) return undefined
    at = separator.lastIndex
  }
  return strings
}
