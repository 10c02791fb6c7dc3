import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import t from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { RedisServer } from '@x/test-kit/redis-server'
import { freePort, holds } from '@x/test-kit/servers'
import { startProgram, startServer } from '../../src/server-process.js'
import { filledDirectory } from '../fixtures/filled-database.js'
import { Traffic } from '../../src/soak/traffic.js'

t.setTimeout(300_000)

const EXAMPLES = join(import.meta.dirname, '../../..')
const COMPOSE = join(EXAMPLES, 'compose')
const KUBERNETES = join(EXAMPLES, 'kubernetes')

interface Service {
  image: string
  command?: string[]
  environment?: Record<string, string>
  volumes?: string[]
  depends_on?: Record<string, unknown> | string[]
  ports?: string[]
}

const read = (...path: string[]) => readFileSync(join(...path), 'utf8')
// Variables of the shell are replaced by their defaults, since no variable is set in the test.
const text = read(COMPOSE, 'compose.yml').replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1')
const { services, volumes: named } = parse(text, { merge: true }) as { services: Record<string, Service>, volumes: Record<string, null> }
const prometheusConfig = parse(read(COMPOSE, 'prometheus.yml')) as { rule_files: string[], scrape_configs: { metrics_path: string, static_configs: { targets: string[] }[] }[] }

/** Returns the mounts of a service: the path in the repository, by the path in the container. */
function mountsOf (name: string): Map<string, string> {
  return new Map((services[name]!.volumes ?? []).map((volume) => volume.split(':')).filter(([source]) => source!.startsWith('.')).map(([source, target]) => [target!, join(COMPOSE, source!)]))
}

t.test('compose: Docker accepts the file', { skip: spawnSync('docker', ['compose', 'version']).status !== 0 && 'docker compose is not installed' }, async (t) => {
  const { status, stderr } = spawnSync('docker', ['compose', '-f', join(COMPOSE, 'compose.yml'), 'config', '--quiet'], { encoding: 'utf8' })
  t.equal(status, 0, stderr)
})

t.test('compose: services, volumes, mounted files and programs that are named exist', async (t) => {
  for (const [name, service] of Object.entries(services)) {
    const others = Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on ?? {})
    for (const other of others) t.ok(other in services, `${name}: ${other}`)
    for (const volume of service.volumes ?? []) if (!volume.startsWith('.')) t.ok(volume.split(':')[0]! in named, `${name}: ${volume}`)
    for (const [target, source] of mountsOf(name)) t.ok(existsSync(source), `${name}: ${target}`)
    const program = service.command?.find((word) => word.startsWith('dist/'))
    if (program !== undefined) t.ok(existsSync(join(EXAMPLES, 'server', program.replace('dist/', 'src/').replace(/\.js$/, '.ts'))), program)
  }
})

t.test('compose: the ports are open to this machine alone, since the console of a staging environment acts without a guard', async (t) => {
  const ports = Object.values(services).flatMap((service) => service.ports ?? [])
  t.equal(ports.length, 4)
  for (const port of ports) t.match(port, /^127\.0\.0\.1:\d+:\d+$/)
})

t.test('compose: Prometheus loads the mounted rules, and Grafana the mounted dashboards from the data source', async (t) => {
  const mounts = mountsOf('prometheus')
  for (const file of prometheusConfig.rule_files) t.ok(statSync(mounts.get(`/etc/prometheus/${file}`)!).isFile(), file)
  const grafana = mountsOf('grafana')
  const { providers } = parse(read(COMPOSE, 'grafana/dashboards/cache.yml')) as { providers: { type: string, options: { path: string } }[] }
  const files = readdirSync(grafana.get(providers[0]!.options.path)!)
  t.same(files.sort(), ['cache-candidates.json', 'cache-operation.json'])
  const home = services.grafana!.environment!.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH!
  t.equal(dirname(home), providers[0]!.options.path)
  t.ok(files.includes(basename(home)))
  const { datasources } = parse(read(COMPOSE, 'grafana/datasources/prometheus.yml')) as { datasources: { type: string, url: string, isDefault: boolean }[] }
  t.match(datasources, [{ type: 'prometheus', url: 'http://prometheus:9090', isDefault: true }])
})

// In continuous integration Prometheus must be installed, so the fixture fails there if it is missing.
const hasPrometheus = process.env.CI !== undefined || spawnSync('prometheus', ['--version']).error === undefined

t.test('compose: the same processes by hand: two apps share database and Redis, and Prometheus has both with their rules', { skip: !hasPrometheus && 'prometheus is not installed' }, async (t) => {
  const { PrometheusServer } = await import('@x/test-kit/prometheus-server')
  const [{ environment: one }, { environment: other }] = [services['app-1']!, services['app-2']!]
  const { environment: ofDatabase } = services.database!
  assert.ok(one && other && ofDatabase)
  const targets = prometheusConfig.scrape_configs[0]!.static_configs[0]!.targets
  t.same(targets, ['app-1', 'app-2'].map((name) => `${name}:${services[name]!.environment!.METRICS_PORT}`))
  t.equal(one.DATABASE_PORT, ofDatabase.DATABASE_PORT)
  const ports = [await freePort(), await freePort()]
  // Prometheus starts first, since it needs five seconds until its first scrape.
  const prometheus = PrometheusServer.start([join(COMPOSE, 'prometheus.yml'), ...[...mountsOf('prometheus').values()].filter((file) => file.endsWith('rules.yml'))], {
    // The interval is not below two seconds, since a scrape that takes longer than the interval fails.
    'scrape_interval: 15s': 'scrape_interval: 2s',
    'evaluation_interval: 15s': 'evaluation_interval: 2s',
    [targets[0]!]: `127.0.0.1:${ports[0]}`,
    [targets[1]!]: `127.0.0.1:${ports[1]}`
  })
  const redis = await RedisServer.start(...services.redis!.command!.slice(1))
  t.teardown(() => redis.close())
  const database = await startProgram('database/main', { ...ofDatabase, HOST: '127.0.0.1', DATABASE_PORT: '0', DATABASE_DIR: await filledDirectory() })
  t.teardown(() => database.stop())
  const servers = await Promise.all([one, other].map((environment, at) => startServer({
    ...environment, HOST: '127.0.0.1', PORT: '0', METRICS_PORT: String(ports[at]), DATABASE_HOST: '127.0.0.1', DATABASE_PORT: database.url.split(':')[1]!, CACHE_REDIS_URL: redis.url
  })))
  for (const server of servers) t.teardown(() => server.stop())

  // The requests are those that the service "load" sends. They are few, since they are sent until Prometheus has scraped for some seconds.
  const traffic = new Traffic(servers.map(({ url }) => url))
  const sending = traffic.run(4, 60)
  t.teardown(() => traffic.stop())
  const sampleOf = async (expr: string) => (await (await prometheus).query(expr)).map(({ metric, value }) => ({ instance: metric.instance, value }))
  await holds('both apps are targets with hits', async () => (await sampleOf('sum by (instance) (cache_hits_total{impl="redis"}) > 0')).length === 2)
  await holds('Redis is in service in both', async () => (await sampleOf('cache_enabled{impl="redis"} == 1')).length === 2)
  await holds('the recording rules add up both', async () => (await sampleOf('job_impl:cache_hit_ratio:rate5m > 0')).length === 1)
  traffic.stop()
  await sending
  t.same(traffic.problems, [])

  const versions = async (id: number) => Promise.all(servers.map(async ({ url }) => (await (await fetch(`${url}/api/records/${id}`)).json() as { version: number }).version))
  const [before] = await versions(7)
  const written = await fetch(`${servers[0]!.url}/api/records/7`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"fields":{"stock":1}}' })
  t.equal(written.status, 200)
  await holds('the other app sees the write', async () => (await versions(7)).every((version) => version === before! + 1))
})

interface Manifest {
  kind: string
  metadata: { name: string }
  data?: Record<string, string>
  spec?: {
    selector?: Record<string, unknown>
    ports?: { targetPort: string }[]
    podMetricsEndpoints?: { port: string, path: string }[]
    template?: { metadata: { labels: Record<string, string> }, spec: { containers: Container[] } }
  }
}
interface Container {
  ports: { name: string, containerPort: number }[]
  env?: { name: string }[]
  command?: string[]
  readinessProbe?: { httpGet?: { path: string, port: string }, tcpSocket?: { port: string } }
}

t.test('kubernetes: selectors, ports, probes and variables of the manifests fit one another and the app', async (t) => {
  const manifests = readdirSync(KUBERNETES).filter((name) => name.endsWith('.yaml')).flatMap((name) => parseAllDocuments(read(KUBERNETES, name)).map((document) => {
    t.same(document.errors, [], name)
    return document.toJS() as Manifest
  }))
  const pods = new Map(manifests.filter(({ spec }) => spec?.template !== undefined).map(({ metadata, spec }) => [metadata.name, spec!.template!]))
  t.same([...pods.keys()].sort(), ['app', 'database', 'redis'])
  const example = read(import.meta.dirname, '../../.env.example')
  for (const { kind, metadata: { name }, spec, data } of manifests) {
    const pod = pods.get(name)
    const [container] = pod?.spec.containers ?? []
    const selector = (spec?.selector?.matchLabels ?? spec?.selector) as Record<string, string> | undefined
    if (selector !== undefined) t.match(pod!.metadata.labels, selector, `${kind} ${name}`)
    const portNames = container?.ports.map((port) => port.name) ?? []
    for (const { targetPort } of spec?.ports ?? []) t.ok(portNames.includes(targetPort), `${kind} ${name}: ${targetPort}`)
    for (const { port, path } of spec?.podMetricsEndpoints ?? []) t.ok(portNames.includes(port) && path === '/metrics/prom', `${kind} ${name}: ${port}`)
    const variables = [...Object.keys(kind === 'ConfigMap' ? data! : {}), ...(spec?.template === undefined ? [] : container!.env ?? []).map((variable) => variable.name)]
    for (const variable of variables) t.match(example, new RegExp(`^#${variable}=`, 'm'), `${kind} ${name}: ${variable}`)
    const { httpGet, tcpSocket } = container?.readinessProbe ?? {}
    if (httpGet !== undefined) t.same([httpGet.path, portNames.includes(httpGet.port)], ['/health', true])
    if (tcpSocket !== undefined) t.ok(portNames.includes(tcpSocket.port))
  }
})
