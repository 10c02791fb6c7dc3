// Writes what each door of a package exports to packages/*/api/, from the declarations that were built. With --check it writes nothing, and
// fails for a report that is out of date and for an exported name without a docstring. The door "suite", which is no promise to apps, is one
// list; the others are a reference: by kind, with the docstrings.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import ts from 'typescript'

const root = join(import.meta.dirname, '..')
/** The kinds of exported names, in the order of a reference. */
const KINDS = ['Functions', 'Classes', 'Types', 'Constants']

const printer = ts.createPrinter({ removeComments: true, newLine: ts.NewLineKind.LineFeed })

/** A program of the packages' own declarations alone: to read those of Fastify and TypeBox would take ten times as long, for no name of ours. */
function programOf (files) {
  const options = { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, noLib: true, types: [] }
  const host = ts.createCompilerHost(options)
  host.resolveModuleNameLiterals = (literals, from) => literals.map(({ text }) => {
    const resolvedFileName = text.startsWith('.') ? resolve(dirname(from), text.replace(/\.js$/, '.d.ts')) : undefined
    return { resolvedModule: resolvedFileName === undefined ? undefined : { resolvedFileName, extension: ts.Extension.Dts } }
  })
  return ts.createProgram(files, options, host)
}

/** The doors of a package, in the order of its exports: the name of the report, and the file of declarations. */
function doorsOf (dir) {
  const { exports } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
  return Object.values(exports).filter((target) => target.types !== undefined).map(({ types }) => ({ name: basename(types, '.d.ts'), file: join(dir, types) }))
}

/** The reports of a package: `{ path, text }` of each door, and the exported names without a docstring. */
function reportsOf (dir) {
  const { name: packageName } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
  const doors = doorsOf(dir)
  const program = programOf(doors.map(({ file }) => file))
  const checker = program.getTypeChecker()
  const original = (symbol) => symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  /** The first door that has a symbol. */
  const seen = new Map()
  const undocumented = []

  const exportsOf = (file) => checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)))
    .map((symbol) => ({ name: symbol.name, symbol: original(symbol) })).sort((a, b) => a.name < b.name ? -1 : 1)
  for (const { name, file } of doors) for (const { symbol } of exportsOf(file)) if (!seen.has(symbol)) seen.set(symbol, name)

  const reports = doors.map(({ name, file }) => {
    const exported = exportsOf(file)
    for (const { name: shown, symbol } of exported) {
      const declared = seen.get(symbol) === name ? declarationsOf(symbol) : []
      if (declared.length > 0 && !declared.some(isDocumented)) undocumented.push(`${packageName}: ${shown}`)
    }
    const elsewhere = new Set(exported.map(({ symbol }) => symbol).filter((symbol) => seen.get(symbol) !== name))
    const behind = withoutName(exported.map(({ symbol }) => symbol).filter((symbol) => seen.get(symbol) === name), name, elsewhere)
    const title = name === 'index' ? packageName : `${packageName}/${name}`
    const added = name === 'index' ? program.getSourceFiles().flatMap(({ statements }) => statements.filter((node) => ts.isModuleDeclaration(node) && ts.isStringLiteral(node.name))) : []
    const additions = added.length === 0 ? '' : `\n## Added to modules of others\n\n${block(added.map(print).sort())}`
    const rest = behind.length === 0 ? '' : `\n## Types that the exported names use\n\n${block(behind.flatMap((symbol) => declarationsOf(symbol).map(print)))}`
    const body = name === 'suite' ? listOf(exported, name) : referenceOf(exported, name, elsewhere)
    return { path: join(dir, 'api', `${name}.md`), text: `# ${title}\n\nMade by \`npm run docs:api\` from the declarations and their docstrings.\n\n${body}${rest}${additions}` }
  })
  return { reports, undocumented }

  /** All exported names in one block. */
  function listOf (exported, door) {
    return block(exported.flatMap(({ name: shown, symbol }) => {
      const elsewhere = seen.get(symbol) === door ? '' : ` // of ${seen.get(symbol)}.md`
      const declared = elsewhere === '' ? declarationsOf(symbol) : []
      const renamed = shown === symbol.name ? [] : [`export { ${symbol.name} as ${shown} }${elsewhere}`]
      if (shown !== symbol.name && exported.some((other) => other !== shown && other.name === symbol.name)) return renamed
      return elsewhere === '' ? [...declared.map(print), ...renamed] : renamed.length > 0 ? renamed : [`export { ${shown} }${elsewhere}`]
    }))
  }

  /** A table of contents by kind, and a section for each exported name that no other door has. */
  function referenceOf (exported, door, elsewhere) {
    const own = exported.filter(({ name: shown, symbol }) => seen.get(symbol) === door && (shown === symbol.name || !exported.some((other) => other.name === symbol.name)))
    const kinds = groupBy(own, kindOf)
    const contents = KINDS.filter((kind) => kinds.has(kind)).map((kind) => `- **${kind}**: ${kinds.get(kind).map(({ name: shown }) => `[\`${shown}\`](#${shown.toLowerCase()})`).join(', ')}\n`)
    const others = [...elsewhere].sort((a, b) => a.name < b.name ? -1 : 1).map((symbol) => {
      const at = seen.get(symbol)
      return `[\`${symbol.name}\`](${at}.md${at === 'suite' ? '' : `#${symbol.name.toLowerCase()}`})`
    })
    if (others.length > 0) contents.push(`- **Described with another door**: ${others.join(', ')}\n`)
    const sections = KINDS.flatMap((kind) => kinds.get(kind) ?? []).map(({ name: shown, symbol }) => {
      const also = exported.filter((other) => other.symbol === symbol && other.name !== shown).map((other) => ` Also exported as \`${other.name}\`.`).join('')
      return `\n## ${shown}\n\n${docOf(symbol)}${also}\n\n${block(declarationsOf(symbol).map(printWithDocs))}`
    })
    return contents.join('') + sections.join('')
  }

  function kindOf ({ symbol }) {
    const { flags } = symbol
    if ((flags & ts.SymbolFlags.Class) !== 0) return 'Classes'
    if ((flags & ts.SymbolFlags.Function) !== 0) return 'Functions'
    if ((flags & ts.SymbolFlags.Variable) === 0) return 'Types'
    return /(?:FastifyPlugin|=>)/.test(symbol.declarations[0].getText().slice(0, 200)) ? 'Functions' : 'Constants'
  }

  /** The docstring of a symbol with its tags, as Markdown. */
  function docOf (symbol) {
    const text = ts.displayPartsToString(symbol.getDocumentationComment(checker)).replace(/\s+/g, ' ').trim()
    const tags = symbol.getJsDocTags(checker).map(({ name: tag, text: parts }) => `\n- \`@${tag}\` ${ts.displayPartsToString(parts).replace(/\s+/g, ' ').trim()}`)
    return text + (tags.length > 0 ? `\n${tags.join('')}` : '')
  }

  function declarationsOf (symbol) {
    return (symbol.declarations ?? []).map(statementOf).filter((node) => !ts.isSourceFile(node))
  }

  /** The symbols of the package that declarations name and no door has, in the order of their names. Those of another door go to `elsewhere`. */
  function withoutName (symbols, door, elsewhere) {
    const found = []
    for (let at = 0, queue = [...symbols]; at < queue.length; at++) {
      for (const node of declarationsOf(queue[at])) visit(node)

      function visit (node) {
        if (ts.isIdentifier(node)) {
          const symbol = checker.getSymbolAtLocation(node)
          const target = symbol === undefined ? undefined : original(symbol)
          if (seen.has(target) && seen.get(target) !== door) elsewhere.add(target)
          else if (target?.declarations?.some(isTopLevel) && !seen.has(target)) {
            seen.set(target, door)
            found.push(target)
            queue.push(target)
          }
        }
        ts.forEachChild(node, visit)
      }
    }
    return found.sort((a, b) => a.name < b.name ? -1 : 1)
  }
}

function statementOf (declaration) {
  return ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration
}

function isTopLevel (declaration) {
  const statement = statementOf(declaration)
  return ts.isStatement(statement) && ts.isSourceFile(statement.parent)
}

function isDocumented (node) {
  return ts.getJSDocCommentsAndTags(node).some((doc) => ts.isJSDoc(doc) && doc.comment !== undefined)
}

function print (node) {
  return printer.printNode(ts.EmitHint.Unspecified, node, node.getSourceFile()).replace(/\bdeclare /, '').replace(/^ +#private;\n/m, '').replace(/\[\s+\]/g, '[]')
}

/** The declaration as it was built, with the docstrings of its members. */
function printWithDocs (node) {
  return node.getText().replace(/^((?:export )?)declare /, '$1').replace(/^ +#private;\n/m, '')
}

function groupBy (items, keyOf) {
  const groups = new Map()
  for (const item of items) {
    const key = keyOf(item)
    if (groups.has(key)) groups.get(key).push(item)
    else groups.set(key, [item])
  }
  return groups
}

function block (lines) {
  return `\`\`\`ts\n${lines.join('\n')}\n\`\`\`\n`
}

const isCheck = process.argv.includes('--check')
const problems = []
for (const entry of readdirSync(join(root, 'packages'))) {
  const dir = join(root, 'packages', entry)
  if (!existsSync(join(dir, 'dist/index.d.ts'))) continue
  const { reports, undocumented } = reportsOf(dir)
  problems.push(...undocumented.map((name) => `${name} has no docstring`))
  if (!isCheck) {
    rmSync(join(dir, 'api'), { recursive: true, force: true })
    mkdirSync(join(dir, 'api'))
  }
  for (const { path, text } of reports) {
    if (!isCheck) writeFileSync(path, text)
    else if (!existsSync(path) || readFileSync(path, 'utf8') !== text) problems.push(`${path.slice(root.length + 1)} is out of date: run "npm run docs:api", and look at what has changed`)
  }
}
for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exitCode = 1
