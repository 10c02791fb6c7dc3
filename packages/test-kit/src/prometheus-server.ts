import { spawnSync, type ChildProcess } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import t from 'tap'
import { freePort, holds } from './servers.js'
import { endWatched, startWatched } from './watched-server.js'

// Without an installed Prometheus these tests are skipped, so that the rest of the suite can run. In continuous integration a missing
// Prometheus is an error.
if (spawnSync('prometheus', ['--version']).error !== undefined) {
  if (process.env.CI !== undefined) throw new Error('prometheus is not installed: bash .ci/provision installs it')
  t.plan(0, 'prometheus is not installed')
  process.exit(0)
}

/** One series in the result of a Prometheus query. */
export interface Sample {
  metric: Record<string, string>
  value: number
}

/** The state of an alert or recording rule, as Prometheus reports it. */
export interface Rule {
  name: string
  type: 'recording' | 'alerting'
  health: string
  lastError?: string
}

/** A Prometheus server that belongs to one test. */
export class PrometheusServer {
  readonly #process: ChildProcess
  readonly url: string
  #output = ''

  private constructor (process_: ChildProcess, url: string) {
    this.#process = process_
    this.url = url
    process_.stderr!.on('data', (data) => { this.#output += data })
  }

  /**
   * Starts Prometheus with copies of files and folders, among them a `prometheus.yml`, in which some texts are replaced. Fails if a text to
   * be replaced is missing. Prometheus ends with the test.
   */
  static async start (files: readonly string[], replacements: Readonly<Record<string, string>>): Promise<PrometheusServer> {
    const folder = mkdtempSync(join(tmpdir(), 'cache-metrics-prometheus-'))
    for (const file of files) cpSync(file, statSync(file).isDirectory() ? folder : join(folder, basename(file)), { recursive: true })
    const file = join(folder, 'prometheus.yml')
    let text = readFileSync(file, 'utf8')
    for (const [from, to] of Object.entries(replacements)) {
      if (!text.includes(from)) throw new Error(`prometheus.yml has no ${from}`)
      text = text.replaceAll(from, to)
    }
    writeFileSync(file, text)

    const address = `127.0.0.1:${await freePort()}`
    const child = startWatched(`prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address=${address} --log.level=warn`, { folder, signal: 'KILL' })
    child.stdout!.resume()
    const server = new PrometheusServer(child, `http://${address}`)
    t.teardown(() => server.close())
    await server.#ready()
    return server
  }

  async #ready (): Promise<void> {
    await holds('Prometheus is ready', async () =>
      this.#process.exitCode !== null || (await fetch(`${this.url}/-/ready`)).ok, 60_000)
    if (this.#process.exitCode !== null) throw new Error(`Prometheus has ended: ${this.#output}`)
  }

  /** Returns the result of an instant query. Throws the error of Prometheus. */
  async query (expr: string): Promise<Sample[]> {
    const { result } = await this.#ask<{ result: { metric: Sample['metric']; value: [number, string] }[] }>(`query?query=${encodeURIComponent(expr)}`)
    return result.map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }))
  }

  async rules (): Promise<Rule[]> {
    const { groups } = await this.#ask<{ groups: { rules: Rule[] }[] }>('rules')
    return groups.flatMap(({ rules }) => rules)
  }

  async #ask<T> (path: string): Promise<T> {
    const answer = await (await fetch(`${this.url}/api/v1/${path}`)).json() as { status: string; error?: string; data: T }
    if (answer.status !== 'success') throw new Error(answer.error)
    return answer.data
  }

  async close (): Promise<void> {
    await endWatched(this.#process)
  }
}
