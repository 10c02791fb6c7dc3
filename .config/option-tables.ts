// Writes the option tables of the READMEs, from the schemas (names, defaults) and the types (types, JSDoc) of the packages.
// Run "npm run docs:options" after a change of an option; .ci/checks/option-tables.test.ts compares.
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'

const ROOT = join(import.meta.dirname, '..')
const PACKAGES = join(ROOT, 'packages')

/** The part of a JSON schema that a table shows. */
interface Schema { default?: unknown; properties?: Record<string, Schema>; anyOf?: Schema[]; required?: string[] }

/** One table: the text between `<!-- options:NAME -->` and `<!-- /options -->` of a README. */
interface Table {
  readonly package: string
  /** The source of the type, and of the schema if there is one, below `src`. */
  readonly source: string
  readonly type: string
  readonly schema?: string
  /** The member of the type whose members are shown. */
  readonly member?: string
  /** Members that are left out, since another table shows them or their members. */
  readonly omit?: readonly string[]
  /** Members whose own members are left out. */
  readonly closed?: readonly string[]
}

/** The tables by the name in their marker. */
export const TABLES: Readonly<Record<string, Table>> = {
  cacheCore: { package: 'cache-core', source: 'fastify/options.ts', type: 'CacheCoreOptions', schema: 'coreSchema' },
  patterns: { package: 'cache-core', source: 'service/pattern-options.ts', type: 'PatternOptions', schema: 'patternSchema' },
  getOrSet: { package: 'cache-core', source: 'contract/loader.ts', type: 'GetOrSetOptions' },
  wrap: {
    package: 'cache-core',
    source: 'client/wrap-options.ts',
    type: 'WrapOptions',
    omit: ['ttl', 'jitter', 'staleWhileRevalidate', 'staleIfError', 'softTimeoutMs', 'retryAfterMs', 'timeoutMs', 'lock', 'earlyRefresh']
  },
  cacheEdge: { package: 'cache-edge', source: 'options.ts', type: 'CacheEdgeOptions', schema: 'edgeSchema', closed: ['rules'] },
  policy: { package: 'cache-edge', source: 'policy-options.ts', type: 'EdgePolicy', schema: 'policySchema' },
  cacheMetrics: { package: 'cache-metrics', source: 'options.ts', type: 'CacheMetricsOptions', schema: 'metricsSchema', closed: ['advisor'] },
  advisor: { package: 'cache-metrics', source: 'options.ts', type: 'CacheMetricsOptions', schema: 'metricsSchema', member: 'advisor' },
  cacheRedis: { package: 'cache-redis', source: 'options.ts', type: 'CacheRedisOptions', schema: 'redisPluginSchema' }
}

/** The README of a package. */
export function readmeOf (name: string): string {
  return join(PACKAGES, name, 'README.md')
}

/** A README with its tables written anew; throws if a table has no marker, or a marker no table. */
export async function withTables (name: string, text: string): Promise<string> {
  const left = new Set(Object.keys(TABLES).filter((table) => TABLES[table]!.package === name))
  const parts: string[] = []
  let end = 0
  for (const found of text.matchAll(/(<!-- options:(\w+) -->\n)[^]*?(<!-- \/options -->)/g)) {
    const [whole, begin, table = '', close] = found
    if (!left.delete(table)) throw new Error(`${name}: no table is called "${table}"`)
    parts.push(text.slice(end, found.index), begin!, await tableOf(TABLES[table]!), close!)
    end = found.index + whole.length
  }
  if (left.size > 0) throw new Error(`${name}: the README has no marker for ${[...left].join(', ')}`)
  return parts.join('') + text.slice(end)
}

let checker: ts.TypeChecker | undefined
let program: ts.Program | undefined

async function tableOf (table: Table): Promise<string> {
  const path = join(PACKAGES, table.package, 'src', table.source)
  const schema = table.schema === undefined ? undefined : (await import(path) as Record<string, Schema>)[table.schema]
  if (table.schema !== undefined && schema === undefined) throw new Error(`${table.source} exports no ${table.schema}`)
  const type = memberOf(typeOf(path, table.type), table.member)
  const rows = rowsOf(type, partOf(schema, table.member), '', table)
  return ['| option | type | default | meaning |', '|---|---|---|---|', ...rows].join('\n') + '\n'
}

function typeOf (path: string, name: string): ts.Type {
  const config = ts.getParsedCommandLineOfConfigFile(join(ROOT, '.config/tsconfig.test.json'), {}, { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (found) => { throw new Error(ts.flattenDiagnosticMessageText(found.messageText, '\n')) } })!
  program ??= ts.createProgram(Object.values(TABLES).map((table) => join(PACKAGES, table.package, 'src', table.source)), config.options)
  checker ??= program.getTypeChecker()
  const source = checker.getSymbolAtLocation(program.getSourceFile(path)!)!
  const symbol = checker.getExportsOfModule(source).find((each) => each.name === name)
  if (symbol === undefined) throw new Error(`${path} exports no ${name}`)
  return checker.getDeclaredTypeOfSymbol(symbol)
}

/** The type itself, or the object type among the types of one of its members. */
function memberOf (type: ts.Type, member: string | undefined): ts.Type {
  if (member === undefined) return type
  return objectIn(checker!.getTypeOfSymbol(checker!.getPropertyOfType(type, member)!))!
}

function partOf (schema: Schema | undefined, member: string | undefined): Schema | undefined {
  if (member === undefined || schema === undefined) return schema
  const part = objectSchema(schema)?.properties?.[member]
  return part === undefined ? undefined : objectSchema(part)
}

function objectSchema (schema: Schema): Schema | undefined {
  return schema.properties !== undefined ? schema : schema.anyOf?.map(objectSchema).find((each) => each !== undefined)
}

function objectIn (type: ts.Type): ts.Type | undefined {
  const types = type.isUnion() ? type.types : [type]
  return types.find((each) => (each.flags & ts.TypeFlags.Object) !== 0 && each.getCallSignatures().length === 0)
}

function rowsOf (type: ts.Type, schema: Schema | undefined, path: string, table: Table): string[] {
  const properties = checker!.getPropertiesOfType(type)
  const names = schema?.properties === undefined ? properties.map(({ name }) => name) : Object.keys(schema.properties)
  return names.filter((name) => !(table.omit ?? []).includes(name)).flatMap((name) => {
    const symbol = properties.find((each) => each.name === name)
    if (symbol === undefined) throw new Error(`${table.type} has no member ${path}${name}`)
    const own = schema?.properties?.[name]
    const inner = own === undefined ? undefined : objectSchema(own)
    const part = checker!.getNonNullableType(checker!.getTypeOfSymbol(symbol))
    const isOptional = (symbol.flags & ts.SymbolFlags.Optional) !== 0
    const row = `| \`${path}${name}\` | ${typeText(part)} | ${defaultText(symbol, own, isOptional)} | ${meaningOf(symbol)} |`
    if (inner === undefined || (table.closed ?? []).includes(name)) return [row]
    return [row, ...rowsOf(objectIn(part)!, inner, `${path}${name}.`, table)]
  })
}

function meaningOf (symbol: ts.Symbol): string {
  const text = ts.displayPartsToString(symbol.getDocumentationComment(checker!)).replace(/\s+/g, ' ').trim()
  if (text === '') throw new Error(`the option "${symbol.name}" has no JSDoc`)
  return text.replaceAll('|', '\\|')
}

/** The default in the schema; else that of the tag `@default`, for one that is computed. */
function defaultText (symbol: ts.Symbol, schema: Schema | undefined, isOptional: boolean): string {
  const tag = symbol.getJsDocTags(checker!).find(({ name }) => name === 'default')
  if (tag !== undefined) return ts.displayPartsToString(tag.text).replaceAll('|', '\\|')
  const value = schema?.default
  if (value !== undefined && (typeof value !== 'object' || Array.isArray(value))) return valueText(symbol.name, value)
  return isOptional || value !== undefined ? '' : 'required'
}

function valueText (name: string, value: unknown): string {
  if (Array.isArray(value)) return value.map((each) => valueText(name, each)).join(', ')
  if (typeof value === 'string') return `\`'${value}'\``
  const mebibytes = Number(value) / 2 ** 20
  return /Bytes$/.test(name) && Number.isInteger(mebibytes) ? `${mebibytes} MiB` : `\`${String(value)}\``
}

/** The type in short: an object with members of its own is `object`, and a function is `function`. */
function typeText (type: ts.Type): string {
  const types = type.isUnion() ? type.types : [type]
  const texts = types.map((each) => {
    if (each.getCallSignatures().length > 0) return 'function'
    if (checker!.isArrayType(each)) {
      const of = typeText(checker!.getTypeArguments(each as ts.TypeReference)[0]!).replaceAll('`', '')
      return `${of.includes('\\|') ? 'array' : `${of}[]`}`
    }
    const text = checker!.typeToString(each, undefined, ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseSingleQuotesForStringLiteralType)
    if (each.flags & ts.TypeFlags.Object && /^\{|^(?:Record|Partial|Readonly)</.test(text)) return 'object'
    return text.replace(/<.*>$/s, '')
  })
  const unique = [...new Set(texts.some((text) => text === 'true') && texts.includes('false') ? ['boolean', ...texts.filter((text) => text !== 'true' && text !== 'false')] : texts)]
  return unique.map((text) => `\`${text}\``).join(' \\| ')
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  for (const name of new Set(Object.values(TABLES).map((table) => table.package))) {
    const path = readmeOf(name)
    writeFileSync(path, await withTables(name, readFileSync(path, 'utf8')))
  }
}
