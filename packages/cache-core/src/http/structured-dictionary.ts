const KEY = '[a-z*][a-z\\d_\\-.*]*'
const ITEM = [
  '-?(?:\\d{1,12}\\.\\d{1,3}|\\d{1,15})',
  '"(?:[ !#-[\\]-~]|\\\\["\\\\])*"',
  "[A-Za-z*][!#$%&'*+\\-.^_`|~:/\\dA-Za-z]*",
  ':[A-Za-z\\d+/=]*:',
  '\\?[01]',
  // Dates are those of RFC 9651 §3.3.7, display strings those of §3.3.8.
  '@-?\\d{1,15}',
  '%"(?:[ !#$&-~]|%[\\da-f]{2})*"'
].join('|')
/** The source of a regular expression for the parameters behind an item (RFC 9651 §3.1.2). */
export const PARAMETERS = `(?:; *${KEY}(?:=(?:${ITEM}))?)*`
const INNER_LIST = `\\( *(?:(?:${ITEM})${PARAMETERS}(?: +(?:${ITEM})${PARAMETERS})* *)?\\)`
const MEMBER = new RegExp(`(${KEY})(?:=(${ITEM}|${INNER_LIST}))?${PARAMETERS}`, 'y')
const SEPARATOR = /[\t ]*,[\t ]*/y

/**
 * Parses a structured dictionary (RFC 9651 §3.2) to its members without parameters: each key with the text of its value, or `undefined` for
 * a key without a value. If a key occurs more than once, its last value counts. `undefined`: the text is no dictionary; an empty dictionary
 * has no members.
 */
export function parseDictionary (text: string): Map<string, string | undefined> | undefined {
  const members = new Map<string, string | undefined>()
  const input = text.replace(/^ +/, '')
  const end = endOf(input)
  let at = 0
  while (at < end) {
    MEMBER.lastIndex = at
    const member = MEMBER.exec(input)
    if (member === null) return undefined
    members.set(member[1]!, member[2])
    at = MEMBER.lastIndex
    if (at === end) return members
    SEPARATOR.lastIndex = at
    // A comma at the end of a dictionary is malformed, as is a missing comma between members.
    if (!SEPARATOR.test(input) || SEPARATOR.lastIndex >= end) return undefined
    at = SEPARATOR.lastIndex
  }
  return members
}

/** Returns the index at which the trailing spaces of a text begin. */
function endOf (input: string): number {
  let end = input.length
  while (input[end - 1] === ' ') end--
  return end
}
