import type { PatternOptions } from './pattern-options.js'
import { checkOf, type Refusal } from './value-schema.js'

/** The schema and version that the options of a key pattern set for its keys and values. */
export class KeyRule {
  readonly keyPattern: string
  readonly #check: ((value: unknown) => Refusal) | undefined
  readonly #suffix: string
  readonly #before: string | undefined
  /** Whether it was reported that a stored value, or a loaded value, does not match the schema. */
  readonly reported = { stored: false, loaded: false }

  /**
   * Makes the rule of a key pattern.
   * @throws for a schema that cannot be compiled
   */
  constructor (keyPattern: string, { schema, version }: PatternOptions) {
    this.keyPattern = keyPattern
    this.#check = schema === undefined ? undefined : checkOf(schema)
    this.#suffix = version === undefined ? '' : suffixOf(version)
    this.#before = version === undefined || version === 1 ? undefined : suffixOf(version - 1)
  }

  /** Returns the key under which the implementation holds the entry of this version. */
  keyOf (key: string): string {
    return key + this.#suffix
  }

  /**
   * Returns the keys in the store that a removal removes: those of this version, of the previous version, and without a version. Processes
   * with the previous version may still run.
   */
  removedBy (key: string): string[] {
    if (this.#suffix === '') return [key]
    return this.#before === undefined ? [key + this.#suffix, key] : [key + this.#suffix, key + this.#before, key]
  }

  /** Returns the reason why a value does not match the schema; `undefined`: the value matches, or there is no schema. */
  refusal (value: unknown): Refusal {
    return this.#check?.(value)
  }
}

/** The rules of key patterns, and the report about values that do not match a schema. */
export interface KeyRules {
  /** Whether at least one key pattern has a rule (a schema or a version). */
  readonly hasRules: boolean
  ruleOf (key: string): KeyRule | undefined
  /** Reports a value that does not match its schema, once per key pattern and kind. */
  report (rule: KeyRule, kind: 'stored' | 'loaded', why: string): void
}

function suffixOf (version: number): string {
  return `@v${version}`
}
