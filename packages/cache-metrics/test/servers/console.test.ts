import { cacheCore } from '@x/cache-core'
import Fastify, { type FastifyInstance } from 'fastify'
import { writeFile } from 'node:fs/promises'
import t from 'tap'
import { axeScript, Chromium, skip, type BrowserPage } from '../fixtures/chromium.js'
import { CacheWithStatus, HOSTILE, listenWithConsole, makeConsoleTraffic } from '../fixtures/console-app.js'

t.setTimeout(300_000)

const VIEWS = [390, 1440].flatMap((width) => [false, true].map((isDark) => ({ width, isDark })))
const WIDE = { width: 1440, isDark: false }
const PATH = '/internal/cache'
/** A canary whose percent an operator can raise at once. */
const CANARY = { canary: { rampSeconds: 0 } }
/** The expression is true when each section shows its numbers. */
const IS_FILLED = 'document.querySelectorAll("main section").length >= 8 && !document.querySelector("main").innerText.includes("Loading …")'

let started: Promise<Chromium> | undefined

/**
 * Starts Chromium at the first call, and returns the same one to all tests, since a start takes more of the processor than most of them.
 * Each test has an app of its own, so that its pages have an origin of their own. The teardown of the file's tests closes the browser.
 */
function startBrowser (): Promise<Chromium> {
  return (started ??= Chromium.start(t))
}

/** The folder for screenshots of each view; `undefined`: no screenshots are made. */
const { SCREENSHOTS } = process.env

/** Writes screenshots: of the top of the page with its sections closed, and of the whole page with the sections open. */
async function keepScreenshots (app: FastifyInstance, page: BrowserPage, file: string): Promise<void> {
  while (!await page.evaluate('document.querySelector("#now svg") !== null')) await makeConsoleTraffic(app, 30)
  await writeFile(`${file}-whole.png`, await page.screenshot(true))
  await page.evaluate('for (const each of document.querySelectorAll("details")) each.open = false')
  await writeFile(`${file}.png`, await page.screenshot())
}

/** Returns the expression of the value of a fact in the section Now. */
function factOf (term: string): string {
  return `document.querySelector('#now [data-key="${term}"] dd')?.firstChild.textContent`
}

async function openFilled (browser: Chromium, url: string, view = WIDE): Promise<BrowserPage> {
  const page = await browser.open(`${url}${PATH}`, view)
  await page.until(IS_FILLED)
  return page
}

t.test('console in Chromium', { skip }, async (t) => {
  const browser = await startBrowser()
  const { app, url } = await listenWithConsole(t, { rollout: CANARY })
  await makeConsoleTraffic(app, 600, 0)
  await makeConsoleTraffic(app, 600, 100)

  await t.test('shows each section with its numbers', async (t) => {
    const page = await openFilled(browser, url)
    t.match(await page.text('#now'), /MemoryCache/)
    t.match(await page.text('#operations'), /\bset\b/)
    t.match(await page.text('#patterns tbody'), /flag\s+memory/)
    t.match(await page.text('#rollout'), /an operator set the percent to 100/)
    t.match(await page.text('#gates'), /etag_match_total \/ cache_candidate_requests/)
    t.match(await page.text('#ledger'), /flag/)
    t.match(await page.text('#advice'), /user/)
    t.equal(await page.evaluate('document.querySelectorAll("#advice svg path.main").length >= 4'), true)
    await page.close()
  })

  await t.test('follows the numbers, until the updates are paused', async (t) => {
    const page = await openFilled(browser, url)
    const reads = 'document.querySelector(\'#patterns tr[data-key="memory late"] td:nth-of-type(2)\')?.innerText'
    for (let at = 0; at < 5; at++) await app.cache.get('late:1')
    await page.until(`${reads} === '5'`)
    await page.click('#pause')
    t.equal(await page.evaluate('document.querySelector("#pause").getAttribute("aria-pressed")'), 'true')
    // Timers are replaced, so that the turns of the polls are counted and follow one another at once.
    await page.evaluate('globalThis.turns = 0; const wait = setTimeout; globalThis.setTimeout = (turn) => { turns++; return wait(turn) }; undefined')
    await page.until('turns > 20')
    const asked = page.requests.length
    await page.until('turns > 200')
    t.equal(page.requests.length, asked)
    await page.close()
  })

  await t.test('asks for nothing outside of its own path, and violates no policy', async (t) => {
    const page = await openFilled(browser, url)
    t.same(page.requests.filter((each) => !each.startsWith(`${url}${PATH}`) && each !== 'data:,'), [])
    t.same(page.problems, [])
    await page.close()
  })

  await t.test('an action of the operator is carried out after a question', async (t) => {
    const page = await openFilled(browser, url)
    await page.click('[data-action="pause"]')
    await page.until('document.querySelector("#rollout").innerText.includes("paused")')
    t.same(page.questions, [])
    await page.click('[data-action="off"]')
    await page.until('document.querySelector(".result").innerText.startsWith("Off: done")')
    t.equal(page.questions.length, 1)
    t.match((await app.inject(`${PATH}/rollout`)).json(), { percent: 0, killed: true })
    await makeConsoleTraffic(app, 0, 100)
    await page.close()
  })

  await t.test('a page of another origin changes nothing, with JSON and with a form', async (t) => {
    const other = Fastify({ forceCloseConnections: true })
    t.teardown(() => other.close())
    other.get('/', async (_request, reply) => reply.type('text/html').send('<!doctype html><title>other</title><p>Other'))
    await other.listen({ port: 0, host: '127.0.0.1' })
    const page = await browser.open(`http://127.0.0.1:${(other.server.address() as { port: number }).port}/`, WIDE)
    await page.until('document.title === "other"')
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      await page.evaluate(`fetch('${url}${PATH}/rollout', { method: 'POST', mode: 'no-cors', credentials: 'include', headers: { 'content-type': '${type}' }, body: '{"action":"off"}' })`)
    }
    await t.rejects(page.evaluate(`fetch('${url}${PATH}/rollout', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"action":"off"}' })`))
    t.match((await app.inject(`${PATH}/rollout`)).json(), { percent: 100, killed: false })
    await page.close()
  })

  await t.test('is used by keyboard alone, and keeps the focus while the numbers change', async (t) => {
    const page = await openFilled(browser, url)
    const focused = () => page.evaluate<string>('document.activeElement.id || document.activeElement.innerText || document.activeElement.nodeName')
    const seen: string[] = []
    for (let at = 0; at < 60 && !seen.some((each) => each.startsWith('user ')); at++) {
      await page.press('Tab')
      seen.push(await focused())
    }
    t.equal(seen[0], 'pause')
    for (const wanted of ['Now', 'Rollout', 'Cost ledger', 'Pause', 'Off', 'stage', 'Go']) t.ok(seen.includes(wanted), wanted)
    await page.press('Enter')
    await page.until('document.activeElement.parentElement.open')
    await app.cache.get('late:2')
    await page.until('document.querySelector(\'#patterns tr[data-key="memory late"] td:nth-of-type(2)\').innerText !== "5"')
    t.equal(await page.evaluate('document.activeElement.nodeName'), 'SUMMARY')
    t.equal(await page.evaluate('document.activeElement.parentElement.open'), true)
    await page.close()
  })

  for (const view of VIEWS) {
    await t.test(`${view.width} px, ${view.isDark ? 'dark' : 'light'}: axe finds nothing, and nothing is wider than the screen`, async (t) => {
      const page = await openFilled(browser, url, view)
      await page.evaluate('for (const each of document.querySelectorAll("details")) each.open = true')
      t.ok(await page.evaluate('document.scrollingElement.scrollWidth <= innerWidth'))
      if (SCREENSHOTS !== undefined) await keepScreenshots(app, page, `${SCREENSHOTS}/console-${view.width}-${view.isDark ? 'dark' : 'light'}`)
      const before = page.problems.length
      // The DevTools protocol can evaluate scripts although the policy of the page forbids them.
      await page.evaluate(axeScript())
      const violations = await page.evaluate<{ id: string; nodes: string[] }[]>(`axe.run(document, { resultTypes: ['violations'] })
        .then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes: nodes.slice(0, 5).map(({ html, failureSummary }) => html.slice(0, 200) + ' ' + failureSummary) })))`)
      t.same(violations, [])
      t.equal(page.problems.length, before)
      await page.close()
    })
  }
})

t.test('console in Chromium: a path with two slashes at its start, which an app may ignore, is no host', { skip }, async (t) => {
  const browser = await startBrowser()
  const app = Fastify({ forceCloseConnections: true, routerOptions: { ignoreDuplicateSlashes: true } })
  t.teardown(() => app.close())
  await app.register(cacheCore, { implementation: 'memory' })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const page = await browser.open(`${url}/${PATH}`, WIDE)
  await page.until('document.querySelector("#now").innerText.includes("MemoryCache") || document.querySelector("#message").innerText !== ""')
  t.equal(await page.text('#message'), '')
  t.match(await page.text('#now'), /MemoryCache/)
  t.same(page.requests.filter((each) => !each.startsWith(url) && each !== 'data:,'), [])
  await page.close()
})

t.test('console in Chromium: hostile names are text', { skip }, async (t) => {
  const browser = await startBrowser()
  // Each text in the JSON is made hostile, even those that no client can choose. Members with which the page computes are not changed.
  const KEPT = new Set(['at', 'generatedAt', 'registeredAt', 'kind', 'unit'])
  const hostile = (name: string, value: unknown): unknown => typeof value === 'string' && !KEPT.has(name) ? `${HOSTILE}${value}` : value
  const { app, url } = await listenWithConsole(t, { rollout: CANARY }, (each) => {
    each.addHook('onSend', async (request, reply, payload) => {
      const isJson = request.url.startsWith(PATH) && String(reply.getHeader('content-type')).includes('json')
      return isJson ? JSON.stringify(JSON.parse(payload as string), hostile) : payload
    })
  })
  await makeConsoleTraffic(app, 300, 100)
  const page = await openFilled(browser, url)
  await page.evaluate('for (const each of document.querySelectorAll("details")) each.open = true')
  for (const id of ['now', 'operations', 'patterns', 'rollout', 'advice', 'gates']) t.ok((await page.text(`#${id}`)).includes('<img src=x'), id)
  t.equal(await page.evaluate('document.title'), 'Cache console')
  t.equal(await page.evaluate('document.querySelectorAll("img, main script").length'), 0)
  t.same(page.problems, [])
  await page.close()
})

t.test('console in Chromium: while observing, the rollout says that nothing is cached', { skip }, async (t) => {
  const browser = await startBrowser()
  const { url } = await listenWithConsole(t, { implementation: 'null' })
  const page = await openFilled(browser, url)
  t.match(await page.text('#rollout'), /nothing is cached while observing; 100.% of the subjects would use a cache/)
  await page.close()
})

t.test('console in Chromium, behind a guard that wants a token in the query: every section and the actions have it', { skip }, async (t) => {
  const browser = await startBrowser()
  const refused: string[] = []
  const { app, url } = await listenWithConsole(t, {
    rollout: CANARY,
    expose: true,
    guard: async (request, reply) => {
      if ((request.query as { token?: string }).token === 'a b&c') return
      refused.push(`${request.method} ${request.url}`)
      return reply.code(401).send({ error: 'no token' })
    }
  })
  const page = await browser.open(`${url}${PATH}?token=a%20b%26c`, WIDE)
  await page.until(IS_FILLED)
  t.equal(await page.evaluate('document.querySelector("#message").textContent'), '')
  t.equal(await page.evaluate('globalThis.cacheConsole.ask("/rollout", { action: "off" }).then(({ status }) => status)'), 200)
  await page.click('nav a')
  t.equal(await page.evaluate('location.search'), '?token=a%20b%26c')
  t.same(refused, [])
  t.ok(app)
})

t.test('console in Chromium: at a rollout of 50 % the present hit rate is that of the implementation in service, as is that of five minutes', { skip }, async (t) => {
  const browser = await startBrowser()
  const { app, url } = await listenWithConsole(t, { rollout: { percent: 50 } })
  const page = await openFilled(browser, url)
  for (let at = 0; at < 400; at++) await app.inject({ url: '/pairs', remoteAddress: `10.0.${at % 200}.1` })
  const misses = app.cache.registry.controlStats.totals().misses
  t.ok(misses > 100 && misses < 700, `${misses} reads in the control arm`)
  await page.until(`${factOf('Hit rate, now')} !== '–'`)
  t.match(await page.text('#now'), /Hit rate, now\s+50.%[^]*Hit rate, 5 min\s+50.%/)
  await page.close()
})

t.test('console in Chromium: of several processes behind one address the page shows one, and says so', { skip }, async (t) => {
  const browser = await startBrowser()
  const { app: other } = await listenWithConsole(t)
  for (let at = 0; at < 300; at++) await other.inject('/pairs')
  let turn = 0
  const { app, url } = await listenWithConsole(t, {}, (each) => {
    // Every second request reaches the other process, as behind a load balancer.
    each.addHook('onRequest', async (request, reply) => {
      if (request.url === `${PATH}/counts` && turn++ % 2 === 1) return reply.type('application/json').send((await other.inject(request.url)).body)
    })
  })
  const page = await openFilled(browser, url)
  await page.until('document.querySelector("#now").innerText.includes("2 processes answered")')
  for (let at = 0; at < 50; at++) await app.inject('/pairs')
  await page.until(`${factOf('Hit rate, now')} !== '–'`)
  t.match(await page.text('#now'), /Hit rate, now\s+50.%[^]*Hit rate, 5 min\s+50.%\s+100 reads/)
  await page.close()
})

t.test('console in Chromium: the operations have their present durations beside those since the start', { skip }, async (t) => {
  const browser = await startBrowser()
  const { app, url } = await listenWithConsole(t)
  const { stats } = app.cache.registry.active
  for (let at = 0; at < 10_000; at++) stats.observe('slow', 0.0001)
  const page = await openFilled(browser, url)
  const cells = 'document.querySelector(\'#operations tr[data-key="memory slow"]\').innerText.split(/\\t/).slice(2)'
  t.same((await page.evaluate<string[]>(cells)).slice(0, 3), ['–', '–', '–'])
  for (let at = 0; at < 10; at++) stats.observe('slow', 0.3)
  await page.until(`${cells}[0] !== '–'`)
  t.match(await page.evaluate<string[]>(cells), [/^[\d.]+$/, '300 ms', '≤ 500 ms', '10,010', /^400 µs$/, '≤ 100 µs'])
  await page.close()
})

/** Makes the polls of a page ask at once, as when its tab is shown again. */
async function pollNow (page: BrowserPage): Promise<void> {
  await page.evaluate('document.dispatchEvent(new Event("visibilitychange")); undefined')
}

/** Adds a hook that changes the JSON of a path below the console. */
function changeJson (app: FastifyInstance, path: string, change: (json: any) => object): void {
  app.addHook('onSend', async (request, reply, payload) => {
    return request.url === PATH + path && reply.statusCode === 200 ? JSON.stringify(change(JSON.parse(payload as string))) : payload
  })
}

t.test('console in Chromium: advice that is reordered keeps the focus in it', { skip }, async (t) => {
  const browser = await startBrowser()
  let isReversed = false
  const { app, url } = await listenWithConsole(t, {}, (each) => changeJson(each, '/advice', (json) => ({ ...json, advice: isReversed ? json.advice.reverse() : json.advice })))
  await makeConsoleTraffic(app, 300)
  const page = await openFilled(browser, url)
  const names = () => page.evaluate<string[]>('[...document.querySelectorAll("#advice details")].map((each) => each.dataset.key)')
  const first = await names()
  t.ok(first.length >= 4)
  for (const name of first) {
    const before = (await names()).join()
    await page.evaluate(`globalThis.blurs = 0; globalThis.summary = [...document.querySelectorAll("#advice details")].find((each) => each.dataset.key === ${JSON.stringify(name)}).firstChild
      summary.focus(); summary.onblur = () => blurs++; undefined`)
    isReversed = !isReversed
    await pollNow(page)
    await page.until(`[...document.querySelectorAll("#advice details")].map((each) => each.dataset.key).join() !== ${JSON.stringify(before)}`)
    t.same(await page.evaluate('[document.activeElement === summary, blurs]'), [true, 0], name)
    await page.evaluate('summary.onblur = null; undefined')
  }
  await page.close()
})

t.test('console in Chromium: the list of stages follows the stages, and the next one is preselected', { skip }, async (t) => {
  const browser = await startBrowser()
  let shown = { stages: [10, 50, 100], percent: 0 }
  const { url } = await listenWithConsole(t, { rollout: CANARY }, (each) => changeJson(each, '/rollout', (json) => ({ ...json, ...shown })))
  const page = await openFilled(browser, url)
  const list = '[...document.querySelectorAll("#stage option")].map(({ value }) => value).join()'
  const selected = () => page.evaluate('document.querySelector("#stage").value')
  await page.until(`${list} === "0,10,50,100"`)
  t.equal(await selected(), '10')
  shown = { stages: [5, 25, 100], percent: 10 }
  await pollNow(page)
  await page.until(`${list} === "0,5,25,100"`)
  t.equal(await selected(), '25', 'the present percent is no stage')
  shown = { stages: [5, 25, 100], percent: 100 }
  await pollNow(page)
  await page.until('document.querySelector("#stage").value === "100"')
  await page.evaluate('{ const list = document.querySelector("#stage"); list.value = "5"; list.dispatchEvent(new Event("change")) }')
  shown = { stages: [5, 30, 100], percent: 25 }
  await pollNow(page)
  await page.until(`${list} === "0,5,30,100"`)
  t.equal(await selected(), '5', 'the choice of the operator stays')
  await page.close()
})

t.test('console in Chromium: the ledger has each part of the cost, removals too', { skip }, async (t) => {
  const browser = await startBrowser()
  const row = { impl: 'memory', keyPattern: 'flag', verdict: 'saves', reads: 1000, hits: 900, stores: 100, savedSeconds: 50, netSeconds: 39, costSeconds: 11, text: 'flag saves' }
  const cost = { read: 1, store: 2, remove: 3, refresh: 5, serialize: 0.5 }
  const { app, url } = await listenWithConsole(t, {}, (each) => changeJson(each, '/advice', (json) => ({ ...json, ledger: { seconds: 60, rows: [{ ...row, cost }] } })))
  await makeConsoleTraffic(app, 60)
  const page = await openFilled(browser, url)
  await page.until('document.querySelector("#ledger tbody tr") !== null')
  const cells = await page.evaluate<Record<string, string>>(`Object.fromEntries([...document.querySelectorAll("#ledger thead th")]
    .map(({ textContent }, at) => [textContent, document.querySelector("#ledger tbody tr").children[at].textContent]))`)
  t.match(cells, { Saved: '50 s', Reading: '1 s', Storing: '2 s', Removing: '3 s', Refreshing: '5 s', Net: '39 s' })
  await page.close()
})

t.test('console in Chromium: breaker, queue, tracking and near cache of an implementation', { skip }, async (t) => {
  const browser = await startBrowser()
  const cache = new CacheWithStatus()
  const { url } = await listenWithConsole(t, { implementation: cache })
  const page = await openFilled(browser, url)
  const now = await page.text('#now')
  for (const fact of [/CacheWithStatus\s+in service/, /, sentinel/, /Breaker\s+closed/, /Queued removals\s+0\n/, /Tracking\s+trusted/, /Near cache\s+1.5 KiB\s+12 entries, 34 hits/]) t.match(now, fact)
  cache.own = { ...cache.own, degraded: true, breaker: 'open', tracking: 'in doubt', queuedInvalidations: 7, problem: 'the password is wrong' }
  await pollNow(page)
  await page.until('document.querySelector("#now").innerText.includes("out of service")')
  const later = await page.text('#now')
  for (const fact of [/NullCache\s+out of service/, /Breaker\s+open\s+the password is wrong/, /Queued removals\s+7\n/, /Tracking\s+in doubt/]) t.match(later, fact)
  t.equal(await page.evaluate('document.querySelectorAll("#now .badge.bad").length'), 3)
  await page.close()
})
