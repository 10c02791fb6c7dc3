// Line charts as inline SVG. Each chart has a text with its numbers, since a screen reader cannot read lines.
const { cacheConsole } = globalThis
const { element } = cacheConsole

const WIDTH = 340
const HEIGHT = 190
const LEFT = 42
const RIGHT = 22
const TOP = 10
const BOTTOM = 40

/**
 * Draws a chart of shares between 0 and 1.
 * @param lines `{ points: [x, share][], isMain }`: a line with `isMain` is drawn last and with its dots
 * @param ticks `[x, text][]`: the marks of the horizontal axis, which is logarithmic unless `isLinear` is set
 */
function shareChart ({ label, axis, lines, ticks, isLinear = false }) {
  const xs = lines.flatMap(({ points }) => points.map(([x]) => x))
  if (xs.length === 0) return element('p', { class: 'muted' }, 'No points yet.')
  const scale = isLinear ? (x) => x : (x) => Math.log(Math.max(x, 1e-9))
  const [from, to] = [scale(Math.min(...xs)), scale(Math.max(...xs))]
  const xOf = (x) => round(LEFT + (to === from ? 0.5 : (scale(x) - from) / (to - from)) * (WIDTH - LEFT - RIGHT))
  const yOf = (share) => round(TOP + (1 - Math.min(1, Math.max(0, share))) * (HEIGHT - TOP - BOTTOM))
  const pathOf = (points) => points.map(([x, share], at) => `${at === 0 ? 'M' : 'L'}${xOf(x)} ${yOf(share)}`).join('')
  const sorted = [...lines].sort((a, b) => Number(a.isMain === true) - Number(b.isMain === true))
  return element('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label, class: 'chart' },
    [0, 0.25, 0.5, 0.75, 1].map((share) => [
      element('line', { class: 'grid', x1: LEFT, x2: WIDTH - RIGHT, y1: yOf(share), y2: yOf(share) }),
      element('text', { x: LEFT - 6, y: yOf(share) + 4, 'text-anchor': 'end' }, `${share * 100}\u00a0%`)
    ]),
    ticks.map(([x, text]) => element('text', { x: xOf(x), y: HEIGHT - BOTTOM + 16, 'text-anchor': 'middle' }, text)),
    element('text', { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, 'text-anchor': 'middle' }, axis),
    sorted.map(({ points, isMain }) => [
      element('path', { class: isMain === true ? 'line main' : 'line', d: pathOf(points) }),
      isMain === true && !isLinear ? points.map(([x, share]) => element('circle', { class: 'dot', cx: xOf(x), cy: yOf(share), r: 3 })) : []
    ]))
}

function round (value) {
  return Math.round(value * 10) / 10
}

Object.assign(cacheConsole, { shareChart })
