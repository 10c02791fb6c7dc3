// The section of the console about the rollout: its stage, criteria and history, and the actions of an operator.
const { cacheConsole } = globalThis
const { element, nameOf, badge, table, facts, section, poll, ask, formats } = cacheConsole
const { count, percent, percentage, duration, time, known } = formats

const PATH = '/rollout'
const EVERY_MS = 5000
const TONES = { go: 'good', back: 'bad', wait: 'plain' }
const UNITS = { points: ' points', ms: ' ms', hours: ' h', requests: ' requests' }

/** The operator's actions. Each has a question that is asked first, since a change of the percent takes effect in all processes. */
const ACTIONS = [
  ['pause', 'Pause'],
  ['resume', 'Resume'],
  ['back', 'One stage back', 'Step back by one stage, in all processes?'],
  ['off', 'Off', 'Cache nothing in any process from now on?']
]

const stages = element('select', { id: 'stage' })
const go = element('button', { type: 'button' }, 'Go')
const buttons = ACTIONS.map(([action, text]) => element('button', { type: 'button', 'data-action': action, class: action === 'off' ? 'danger' : undefined }, text))
const controls = element('div', { class: 'controls', role: 'group', 'aria-label': 'Rollout actions' },
  ...buttons, element('span', { class: 'field' }, element('label', { for: 'stage' }, 'Go to'), stages, go))
const result = element('p', { role: 'status', class: 'result' })
const rollout = section('rollout', 'Rollout', controls, result)

let refresh
/** Whether the operator has chosen a stage in the list, which then stays selected. */
let isChosen = false

stages.addEventListener('change', () => { isChosen = true })
// An app without a canary has no rollout endpoint, so the actions are hidden.
controls.hidden = true
cacheConsole.onStatus(({ enabled, rollout: current }) => {
  if (current?.stages !== undefined) refresh ??= poll({ path: PATH, everyMs: EVERY_MS, show })
  else rollout.show(element('p', {}, withoutCanary(enabled, current?.percent ?? 100)))
})

function withoutCanary (isEnabled, percentOfSubjects) {
  const share = `${percentage(percentOfSubjects)} of the subjects`
  return `No canary: ${isEnabled ? `${share} use the cache` : `nothing is cached while observing; ${share} would use a cache`}, as option rollout or registry.rollout.percent says.`
}

for (const [at, [action, text, question]] of ACTIONS.entries()) {
  buttons[at].addEventListener('click', () => { void act({ action }, text, question) })
}
go.addEventListener('click', () => {
  const to = Number(stages.value)
  void act({ action: 'to', percent: to }, `Go to ${to}\u00a0%`, `Set the rollout to ${to}\u00a0%, in all processes?`)
})

async function act (body, text, question) {
  if (question !== undefined && !globalThis.confirm(question)) return
  result.textContent = `${text} …`
  try {
    const { status, json } = await ask(PATH, body)
    if (status === 200 && body.action === 'to') isChosen = false
    result.textContent = status === 200 ? `${text}: done. ${json.note ?? ''}` : `${text}: refused (${status}). ${json?.message ?? ''}`
  } catch {
    result.textContent = `${text}: the app did not answer. Whether it acted is not known.`
  }
  await refresh()
}

function show (view) {
  const { percent: now, stage, paused, killed, completed, advance, patterns, problem, recommendation, comparison, verdict, reason, gates = [], history } = view
  controls.hidden = false
  keepStages(view)
  const state = killed ? ['off', 'bad'] : paused ? ['paused', 'plain'] : completed ? ['complete', 'good'] : ['running', 'good']
  rollout.show(
    facts([
      ['Percent', percentage(now), `stage ${stage} of ${view.stages.length}: ${view.stages.map((each) => `${each}\u00a0%`).join(' → ')}`],
      ['State', badge(...state), advance === 'manual' ? 'an operator moves the stages' : 'moves by itself'],
      ['Verdict', verdict === undefined ? '–' : badge(verdict, TONES[verdict]), reason],
      ['Counted', `${count(view.observedMinutes)} min`, `of ${count(view.minutesToCount)} min; hold-out ${percentage(view.holdOut)}`]
    ]),
    ...[recommendation, comparison, view.note, problem].filter((text) => text !== undefined).map((text) => element('p', {}, text)),
    armsOf(view.arms),
    table('Criteria of the stage', ['Criterion', 'Value', 'Threshold', 'Verdict', 'Why'], gates.map((gate) => ({
      key: gate.name,
      cells: [gate.name, known(gate.value, (value) => gate.unit === 'percent' ? percentage(value) : `${count(value)}${UNITS[gate.unit] ?? ''}`), gate.threshold, badge(gate.verdict, TONES[gate.verdict]), gate.reason]
    }))),
    table('Key patterns with a percent of their own', ['Key pattern', 'Percent'], Object.entries(patterns).map(([name, each]) => ({ key: name, cells: [nameOf(name), percentage(each)] }))),
    table('History, the newest first', ['Time', 'Change', 'By', 'Reason'], history.map(({ at, from, to, by, reason: why, pattern }, index) => ({
      key: `${at} ${history.length - index}`,
      cells: [time(at), [`${percentage(from)} → ${percentage(to)}`, pattern === undefined ? '' : [' ', nameOf(pattern)]].flat(2), by, why]
    })))
  )
}

/**
 * Fills the list of stages only when the stages change, since an operator may have the list open. The next stage above the present percent
 * is selected, until the operator chooses one.
 */
function keepStages ({ stages: percents, percent: now }) {
  const all = [0, ...percents]
  const listed = [...stages.options].map(({ value }) => Number(value))
  const isSame = listed.length === all.length && listed.every((each, at) => each === all[at])
  if (!isSame) {
    const chosen = Number(stages.value)
    stages.replaceChildren(...all.map((each) => element('option', { value: String(each) }, `${each}\u00a0%`)))
    isChosen &&= all.includes(chosen)
    if (isChosen) stages.value = String(chosen)
  }
  if (!isChosen && (!isSame || document.activeElement !== stages)) stages.value = String(all.find((each) => each > now) ?? all.at(-1))
}

function armsOf ({ cached, control }) {
  const row = (key, { requests, failures, p50, p95, p99 }) => ({
    key,
    cells: [key, count(requests), requests === 0 ? '–' : percent(failures / requests), ...[p50, p95, p99].map((ms) => known(ms, (value) => duration(value / 1000)))]
  })
  return table('Requests in this stage, by arm', ['Arm', 'Requests', 'Failures', 'p50', 'p95', 'p99'], [row('cached', cached), row('control', control)])
}
