// Writes what each door of a package exports to packages/*/api/, from the declarations that were built. With --check it writes nothing, and
// fails for a report that is out of date and for an exported name without a docstring.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import ts from 'typescript'

const root = join(import.meta.dirname, '..')
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

  const reports = doors.map(({ name, file }) => {
    const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)))
      .map((symbol) => ({ name: symbol.name, symbol: original(symbol) })).sort((a, b) => a.name < b.name ? -1 : 1)
    for (const { symbol } of exported) if (!seen.has(symbol)) seen.set(symbol, name)
    const lines = exported.flatMap(({ name: shown, symbol }) => {
      const elsewhere = seen.get(symbol) === name ? '' : ` // of ${seen.get(symbol)}.md`
      const declared = elsewhere === '' ? declarationsOf(symbol) : []
      if (declared.length > 0 && !declared.some(isDocumented)) undocumented.push(`${packageName}: ${shown}`)
      const renamed = shown === symbol.name ? [] : [`export { ${symbol.name} as ${shown} }${elsewhere}`]
      if (shown !== symbol.name && exported.some((other) => other !== shown && other.name === symbol.name)) return renamed
      return elsewhere === '' ? [...declared.map(print), ...renamed] : renamed.length > 0 ? renamed : [`export { ${shown} }${elsewhere}`]
    })
    const behind = withoutName(exported.map(({ symbol }) => symbol).filter((symbol) => seen.get(symbol) === name), name)
    const title = name === 'index' ? packageName : `${packageName}/${name}`
    const added = name === 'index' ? program.getSourceFiles().flatMap(({ statements }) => statements.filter((node) => ts.isModuleDeclaration(node) && ts.isStringLiteral(node.name))) : []
    const additions = added.length === 0 ? '' : `\n## Added to modules of others\n\n${block(added.map(print).sort())}`
    const rest = behind.length === 0 ? '' : `\n## Types that the exported names use\n\n${block(behind.flatMap((symbol) => declarationsOf(symbol).map(print)))}`
    return { path: join(dir, 'api', `${name}.md`), text: `# ${title}\n\nMade by \`npm run docs:api\`.\n\n${block(lines)}${rest}${additions}` }
  })
  return { reports, undocumented }

  function declarationsOf (symbol) {
    return (symbol.declarations ?? []).map(statementOf).filter((node) => !ts.isSourceFile(node))
  }

  /** The symbols of the package that declarations name and no door has, in the order of their names. */
  function withoutName (symbols, door) {
    const found = []
    for (let at = 0, queue = [...symbols]; at < queue.length; at++) {
      for (const node of declarationsOf(queue[at])) visit(node)

      function visit (node) {
        if (ts.isIdentifier(node)) {
          const symbol = checker.getSymbolAtLocation(node)
          const target = symbol === undefined ? undefined : original(symbol)
          if (target?.declarations?.some(isTopLevel) && !seen.has(target)) {
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
