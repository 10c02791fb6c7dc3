import type { PatternOptions } from './pattern-options.js'
import { checkOf, type Refusal } from './value-schema.js'

/** The schema and version that the options of a key pattern set for its keys and values. */
export class KeyRule {
  readonly keyPattern: string
  readonly #check: ((value: unknown) => Refusal) | undefined
  readonly #suffix: string
  readonly #neighbours: readonly string[]
  /** Whether a value that does not match the schema was reported already, for stored and for loaded values separately. */
  readonly reported = { stored: false, loaded: false }

  /**
   * Makes the rule of a key pattern.
   * @throws for a schema that cannot be compiled
   */
  constructor (keyPattern: string, { schema, version }: PatternOptions) {
    this.keyPattern = keyPattern
    this.#check = schema === undefined ? undefined : checkOf(schema)
    this.#suffix = version === undefined ? '' : suffixOf(version)
    this.#neighbours = version === undefined ? [] : [...version === 1 ? [] : [suffixOf(version - 1)], suffixOf(version + 1), '']
  }

  /** Returns the key under which the implementation holds the entry of this version. */
  keyOf (key: string): string {
    return key + this.#suffix
  }

  /**
   * Returns the keys that a removal removes: the key with this version, with the versions before and after it, and without a version.
   * Processes with the version before may still run. After a rollback, the version after may be deployed again while its entries still
   * exist.
   */
  removedBy (key: string): string[] {
    return [key + this.#suffix, ...this.#neighbours.map((suffix) => key + suffix)]
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
  /** Reports a value that does not match its schema: once per key pattern for stored values, and once for loaded values. */
  report (rule: KeyRule, kind: 'stored' | 'loaded', why: string): void
}

function suffixOf (version: number): string {
  return `@v${version}`
}
