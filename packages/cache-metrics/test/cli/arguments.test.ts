import { readFileSync } from 'node:fs'
import t from 'tap'
import { readArguments } from '../../src/cli/arguments.js'
import { USAGE } from '../../src/cli/usage.js'

const source = (...argv: string[]) => (readArguments(['report', ...argv]) as { source: unknown }).source

t.test('readArguments: a trace has defaults', async (t) => {
  t.same(readArguments(['report', '--trace', 'a.log']), {
    name: 'report',
    format: 'markdown',
    source: {
      kind: 'trace',
      file: 'a.log',
      rate: 20,
      ttls: [1, 10, 60, 300, 900, 3600, 86_400],
      entries: [100, 1000, 5000, 20_000, 100_000],
      loadSeconds: undefined,
      valueBytes: undefined,
      wishes: { staleTolerance: 0.001, minRequests: 200 },
      minSeconds: 604_800
    }
  })
})

t.test('readArguments: each option of a trace is read, lists in the order given and without doubles', async (t) => {
  t.match(source('--trace=-', '--rate', '0.5', '--ttl', '60, 1,60', '--entries', '1000,100', '--load-ms', '250', '--value-bytes', '0', '--min-requests', '1', '--min-days', '0.5'), {
    file: '-', rate: 0.5, ttls: [60, 1], entries: [1000, 100], loadSeconds: 0.25, valueBytes: 0, wishes: { minRequests: 1 }, minSeconds: 43_200
  })
})

t.test('readArguments: a window is a duration, a selector has its braces or not', async (t) => {
  t.match(source('--prometheus', 'http://p', '--window', '1d12h', '--selector', ' {job="api", } '), { windowSeconds: 129_600, selector: 'job="api"' })
  t.match(source('--prometheus', 'http://p'), { windowSeconds: 604_800, selector: '' })
})

t.test('readArguments: help and version come before whatever else is wrong', async (t) => {
  t.equal(readArguments(['--help']), 'help')
  t.equal(readArguments(['nonsense', '-h']), 'help')
  t.equal(readArguments(['--version']), 'version')
})

t.test('readArguments: a mistake is a sentence that names it', async (t) => {
  const mistakes: [RegExp, ...string[]][] = [
    [/command is one of report, plan, gates/],
    [/not "reprot"/, 'reprot', '--trace', 'x'],
    [/one command/, 'report', 'plan', '--trace', 'x'],
    [/no source/, 'report'],
    [/more than one source/, 'report', '--trace', 'x', '--app', 'http://a'],
    [/--nope/, 'report', '--nope'],
    [/--trace.*missing/, 'report', '--trace'],
    [/--help.*does not take/, '--help=yes'],
    [/--rate takes a value/, 'report', '--trace', 'x', '--rate', '-5'],
    [/--rate is given twice/, 'report', '--trace', 'x', '--rate', '5', '--rate', '6'],
    [/--format is one of markdown, text, json, not "xml"/, 'report', '--trace', 'x', '--format', 'xml'],
    [/--window goes with --prometheus, not with --trace/, 'report', '--trace', 'x', '--window', '7d'],
    [/--ttl goes with --trace/, 'report', '--app', 'http://a', '--ttl', '1'],
    [/plan needs --app or --trace/, 'plan', '--prometheus', 'http://p'],
    ...['0', '1e3', 'x', '', '0x10', 'NaN', '-1', '2000000000'].map((rate): [RegExp, ...string[]] => [/--rate takes a number/, 'report', '--trace', 'x', `--rate=${rate}`]),
    ...['0', '1,,2', ',', '', '9999999', '1;2', '1,2,3,4,5,6,7,8,9,10,11,12,13'].map((ttl): [RegExp, ...string[]] => [/--ttl takes up to 12 numbers/, 'report', '--trace', 'x', `--ttl=${ttl}`]),
    ...['0', '1.5', 'many', '1000000001'].map((entries): [RegExp, ...string[]] => [/--entries takes/, 'report', '--trace', 'x', `--entries=${entries}`]),
    [/--value-bytes takes a whole number/, 'report', '--trace', 'x', '--value-bytes', '1.5'],
    ...['7', '7x', '-7d', '1s', '99y', '', 'd'].map((window): [RegExp, ...string[]] => [/--window takes a duration/, 'report', '--prometheus', 'http://p', `--window=${window}`]),
    ...['p', 'ftp://p', 'http//p', ''].map((url): [RegExp, ...string[]] => [/--app takes a URL/, 'report', `--app=${url}`])
  ]
  for (const [sentence, ...argv] of mistakes) {
    t.throws(() => readArguments(argv), { code: 'CACHE_ERR_ADVISOR', message: sentence }, argv.join(' '))
  }
})

t.test('readArguments: what may be a secret is in no sentence', async (t) => {
  const secrets = [
    ['report', 'Authorization: Bearer s3cret', '--app', 'http://a'],
    ['report', '--app', 'http://a', '--header', 's3cret'],
    ['report', '--app', 'http://a', '--header', 'x: s3cret\nx-other: y'],
    ['report', '--app', 'ftp://user:s3cret@a'],
    ['report', '--app', 'http://user:s3cret@[']
  ]
  for (const argv of secrets) {
    try {
      readArguments(argv)
      t.fail(argv.join(' '))
    } catch (error) {
      t.notMatch((error as Error).message, /s3cret/)
    }
  }
})

t.test('README: each command is one that is read', async (t) => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const commands = [...readme.matchAll(/^npx --no-install cache-advisor (.+)$/gm)].map(([, rest]) => rest!)
  t.ok(commands.length > 5)
  for (const command of commands) {
    const argv = [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, bare]) => single ?? double ?? bare!)
    t.match(readArguments(argv), { name: argv[0] }, command)
  }
})

t.test('README: names the options of the usage, and no other', async (t) => {
  const namesIn = (text: string): string[] => [...new Set(text.match(/(?<![\w-])--[a-z][a-z-]*/g))].sort()
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const section = readme.slice(readme.indexOf('\n## cache-advisor'), readme.indexOf('\n## Prometheus and Grafana'))
  t.same(namesIn(section.replaceAll('npx --no-install', 'npx').replaceAll('`--no-install`', '')), namesIn(USAGE.replace('--help, --version', '')))
})
