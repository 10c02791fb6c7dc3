import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import t from 'tap'
import { METRICS } from '../../packages/cache-metrics/src/metrics/metrics.js'
import { errorRows } from '../../.config/error-tables.js'

const ROOT = join(import.meta.dirname, '../..')
const DOCUMENTS = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n')

function withoutCode (path: string): string {
  return readFileSync(path, 'utf8').replaceAll(/^ *```.*?^ *```$/gms, '')
}

/** The anchors of the headings of a document, as GitHub makes them. */
function anchorsOf (path: string): Set<string> {
  const seen = new Map<string, number>()
  return new Set([...withoutCode(path).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => {
    const anchor = heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '').trim().replaceAll(' ', '-')
    const times = seen.get(anchor) ?? 0
    seen.set(anchor, times + 1)
    return times === 0 ? anchor : `${anchor}-${times}`
  }))
}

/** The fault of a link of a document; `undefined`: it leads somewhere. */
function faultOf (document: string, link: string): string | undefined {
  const [path = '', anchor] = link.split('#', 2)
  const target = path === '' ? document : resolve(dirname(document), path)
  if (!existsSync(target)) return `${link}: no such file`
  if (anchor === undefined || !target.endsWith('.md')) return undefined
  return anchorsOf(target).has(anchor) ? undefined : `${link}: no such heading`
}

for (const name of DOCUMENTS) {
  const document = join(ROOT, name)
  // Code spans may hold brackets.
  const links = [...withoutCode(document).replaceAll(/`[^`\n]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!).filter((link) => !/^[a-z]+:/.test(link))
  if (links.length === 0) continue
  t.test(`links: each link of ${name} leads to a file, and to a heading`, async (t) => {
    t.same([...new Set(links)].map((link) => faultOf(document, link)).filter((fault) => fault !== undefined), [])
  })
}

t.test('documents: the metrics and error codes that they name exist', async (t) => {
  const metrics = METRICS.map(({ name }) => name)
  const codes = errorRows().map(({ code }) => code)
  // The changelog names what earlier versions had; the API references are generated.
  for (const name of DOCUMENTS.filter((each) => each !== 'CHANGELOG.md' && !each.includes('/api/'))) {
    const text = readFileSync(join(ROOT, name), 'utf8')
    for (const [metric] of text.matchAll(/\b(?<!:)cache_(?!manager)[a-z_]+(?:total|seconds|bytes|state|degraded|stage|invalidations)\b(?!:)/g)) {
      t.ok(metrics.some((each) => metric === each || metric.startsWith(`${each}_`)), `${name}: ${metric}`)
    }
    for (const [code] of text.matchAll(/\bCACHE_ERR_[A-Z_]+\b/g)) t.ok(codes.includes(code), `${name}: ${code}`)
  }
})
