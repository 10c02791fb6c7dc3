// The table of error codes, from the calls that make the errors: code, sentence, status, and the docstring.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const PACKAGES = join(import.meta.dirname, '../packages')

/** One call of `fault` or `createError` in the sources of a package. */
export interface ErrorRow { readonly code: string; readonly package: string; readonly meaning: string; readonly sentence: string; readonly status: string; readonly isResult: boolean }

/** All errors of the packages, in the order of their code. */
export function errorRows (): ErrorRow[] {
  const rows = ['cache-core', 'cache-edge', 'cache-metrics', 'cache-redis'].flatMap((name) => {
    const folder = join(PACKAGES, name, 'src')
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join(folder, file), 'utf8'))
      .filter((text) => /= (?:fault|createError)\b/.test(text))
      .flatMap((text) => rowsOf(name, text))
  })
  return rows.sort((a, b) => a.code < b.code ? -1 : a.code > b.code ? 1 : 0)
}

function rowsOf (name: string, text: string): ErrorRow[] {
  const source = ts.createSourceFile('errors.ts', text, ts.ScriptTarget.Latest, true)
  return source.statements.flatMap((statement) => {
    if (!ts.isVariableStatement(statement)) return []
    return statement.declarationList.declarations.flatMap(({ initializer }) => {
      if (initializer === undefined || !ts.isCallExpression(initializer)) return []
      const [code, sentence, status] = initializer.arguments
      if (code === undefined || sentence === undefined || !ts.isStringLiteral(code) || !ts.isStringLiteral(sentence) || !code.text.startsWith('CACHE_ERR_')) return []
      return [{ code: code.text, package: name, meaning: docstring(statement), sentence: sentence.text, status: status?.getText() ?? '', isResult: initializer.expression.getText() === 'fault' }]
    })
  })
}

function docstring (statement: ts.Node): string {
  const text = ts.getJSDocCommentsAndTags(statement).map((doc) => ts.getTextOfJSDocComment(doc.comment) ?? '').join(' ')
  if (text === '') throw new Error(`an error has no docstring: ${statement.getText().slice(0, 80)}`)
  return text.replaceAll(/\s+/g, ' ').trim()
}

/** The table of the errors in a `Result` (`result`), or of those that are thrown (`thrown`). */
export function errorTable (kind: string): string {
  const rows = errorRows().filter(({ isResult }) => isResult === (kind === 'result'))
  const shown = (text: string): string => text.replaceAll(/%[sd]/g, '…').replaceAll('|', '\\|')
  const lines = [...new Set(rows.map(({ code }) => code))].map((code) => {
    const same = rows.filter((row) => row.code === code)
    const cell = (of: (row: ErrorRow) => string): string => [...new Set(same.map((row) => shown(of(row))))].join('<br>')
    const more = kind === 'result' ? [] : [cell((row) => row.package), cell(({ status }) => status)]
    return `| ${[`\`${code}\``, ...more, cell(({ meaning }) => meaning), cell(({ sentence }) => sentence)].join(' | ')} |`
  })
  const head = kind === 'result' ? ['| code | when | message |', '|---|---|---|'] : ['| code | package | status | when | message |', '|---|---|---|---|---|']
  return `${[...head, ...lines].join('\n')}\n`
}
