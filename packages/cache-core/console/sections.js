// The sections of the console. They request their numbers repeatedly as JSON from the same origin.
const { cacheConsole } = globalThis
const { element, patchChildren } = cacheConsole

/** The address of the console, with the app's prefix if there is one. The console's JSON endpoints are under it. */
const base = location.origin + location.pathname.replace(/\/+$/, '')
const TIME_LIMIT_MS = 10_000
/** Milliseconds between two announcements of numbers to a screen reader, which would otherwise speak all the time. */
const ANNOUNCE_EVERY_MS = 20_000

const main = document.querySelector('main')
const nav = document.querySelector('nav ul')
const message = document.querySelector('#message')
const news = document.querySelector('#news')
const pause = document.querySelector('#pause')
const failing = new Set()
let isPaused = false
let announcedAt = -Infinity

pause.addEventListener('click', () => {
  isPaused = !isPaused
  pause.setAttribute('aria-pressed', String(isPaused))
})

/** Shows a message about the state of the page, which a screen reader also speaks. An empty text removes the message. */
function tell (text) {
  if (message.textContent !== text) message.textContent = text
}

/** Makes a screen reader speak a summary of the numbers, unless the last summary was less than `ANNOUNCE_EVERY_MS` ago. */
function announce (text) {
  if (performance.now() - announcedAt < ANNOUNCE_EVERY_MS || news.textContent === text) return
  announcedAt = performance.now()
  news.textContent = text
}

/** Asks the app, with the query of the page: the guard may want a token in it. Resolves with the status and the JSON of its response. */
async function ask (path, body) {
  const response = await fetch(base + path + location.search, {
    headers: { accept: 'application/json', ...body === undefined ? {} : { 'content-type': 'application/json' } },
    cache: 'no-store',
    signal: AbortSignal.timeout(TIME_LIMIT_MS),
    ...body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  })
  const isJson = response.headers.get('content-type')?.includes('json') === true
  return { status: response.status, json: isJson ? await response.json() : undefined }
}

/**
 * Requests the numbers of a section now and at an interval, and shows them. A failure is shown until the next successful response.
 * @returns the function that requests the numbers at once
 */
function poll ({ path, everyMs, show }) {
  const name = path.slice(1)
  const fail = (why) => {
    failing.add(name)
    tell(`The numbers stand still: ${[...failing].join(', ')}: ${why}`)
  }
  const once = async () => {
    let answer
    try {
      answer = await ask(path)
    } catch {
      return fail('the app does not answer')
    }
    const { status, json } = answer
    if (status !== 200 || json === undefined) return fail(`the app answers ${status}`)
    try {
      show(json)
    } catch (error) {
      return fail(`the page cannot show the answer of the app (${error.message})`)
    }
    if (failing.delete(name) && failing.size === 0) tell('')
  }
  const turn = async () => {
    if (!isPaused && !document.hidden) await once()
    setTimeout(() => { void turn() }, everyMs)
  }
  void turn()
  document.addEventListener('visibilitychange', () => { if (!document.hidden && !isPaused) void once() })
  return once
}

/**
 * Adds a section to the page, with a link to it.
 * @returns functions: `show` replaces the contents of the section, `setHidden` hides or shows it
 */
function section (id, title, ...fixed) {
  const contents = element('div', {}, element('p', { class: 'muted' }, 'Loading …'))
  const made = element('section', { id, 'aria-labelledby': `${id}-title` }, element('h2', { id: `${id}-title` }, title), ...fixed, contents)
  const link = element('li', {}, element('a', { href: `#${id}` }, title))
  main.append(made)
  nav.append(link)
  return {
    show: (...children) => patchChildren(contents, children.flat().filter((child) => child !== undefined && child !== false)),
    setHidden: (isHidden) => { made.hidden = link.hidden = isHidden }
  }
}

Object.assign(cacheConsole, { section, poll, ask, announce })
