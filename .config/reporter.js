import { Parser } from 'tap-parser'
import { Transform } from 'node:stream'

// What the name, the stack and the exit code of a failure say already.
const NOISE = new Set(['at', 'args', 'command', 'cwd', 'externalID', 'stdio'])

// tap pipes into its reporter, and the reporter into stdout: only a Transform can be both.
/** Prints each test file, each failure with its diagnostics and, as the last line, `N passed, N failed`. */
export default class Reporter extends Transform {
  #parser = new Parser()
  #passed = 0
  #failed = 0

  constructor () {
    super()
    this.#count(this.#parser)
    this.#parser.on('assert', (file) => this.#print(`${file.ok ? 'ok' : 'not ok'} - ${file.name}`))
    // Coverage below the gate, which would fail the run without a word.
    this.#parser.on('comment', (comment) => { if (comment.startsWith('# ERROR')) this.#print(comment.trim()) })
  }

  // Not by the parser's own events "pass" and "fail": they also count the line that sums up a subtest with a # in its name.
  #count (parser) {
    let subtest
    let failedBefore
    parser.on('child', (child) => {
      subtest = child
      failedBefore = this.#failed
      this.#count(child)
    })
    parser.on('assert', (result) => {
      const sumsUp = subtest !== undefined && subtest.count > 0
      subtest = undefined
      if (result.skip || result.todo) return
      if (result.ok) {
        if (!sumsUp) this.#passed++
      } else if (!sumsUp || this.#failed === failedBefore) {
        // A subtest may fail though all in it passed: its process died, or its plan was not kept.
        this.#fail(result.fullname, result.diag)
      }
    })
  }

  #fail (name, diagnostics) {
    this.#failed++
    this.#print(`\nFAILED ${name}`)
    for (const [key, value] of Object.entries(diagnostics ?? {})) {
      if (NOISE.has(key)) continue
      const text = typeof value === 'string' ? value.trimEnd() : JSON.stringify(value)
      this.#print(`  ${key}: ${text.includes('\n') ? '\n' : ''}${text}`.replaceAll('\n', '\n    '))
    }
    this.#print('')
  }

  #print (line) {
    this.push(`${line}\n`)
  }

  _transform (chunk, encoding, done) {
    this.#parser.write(chunk)
    done()
  }

  _flush (done) {
    this.#parser.end()
    const { ok, bailedOut } = this.#parser
    if (!ok && this.#failed === 0) this.#fail('The run as a whole', { bailedOut, failures: this.#parser.failures })
    this.#print(`${this.#passed} passed, ${this.#failed} failed`)
    done()
  }
}
