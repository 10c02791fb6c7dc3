// Draws one curve on two logarithmic axes as SVG. The colours follow the light or dark scheme of the browser.
import { EXPONENTS, LEAST } from './order.js'

const WIDTH = 520
const HEIGHT = 300
const LEFT = 76
const RIGHT = 500
const TOP = 44
const BOTTOM = 248
const STYLE = `text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-weight:600;font-size:14px}.axis{stroke:#8c959f;fill:none}
.grid{stroke:#d0d7de}.curve{stroke:#0969da;stroke-width:2;fill:none}.point{fill:#0969da}.order{stroke:#8c959f;stroke-dasharray:5 4;fill:none}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}.curve{stroke:#58a6ff}.point{fill:#58a6ff}}`

const escape = (text) => text.replace(/[&<>]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign])

/** Formats a number in at most three digits, with a unit of thousands. */
export function short (number) {
  for (const [unit, letter] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']]) if (number >= unit) return `${Number((number / unit).toPrecision(3))}${letter}`
  return String(Number(number.toPrecision(3)))
}

/** Returns a function that maps a value to a position on an axis, and the marks of the axis: the powers of ten in its range. */
function axisOf (values, from, to) {
  const [low, high] = [Math.log10(Math.min(...values)), Math.log10(Math.max(...values))]
  // A flat curve gets an axis of one decade, so that noise does not look like growth.
  const margin = Math.max(0, (1 - (high - low)) / 2)
  const [first, last] = [low - margin, high + margin]
  const place = (value) => from + (Math.log10(value) - first) / (last - first) * (to - from)
  const marks = []
  for (let power = Math.ceil(first - 1e-9); power <= last + 1e-9; power++) marks.push(10 ** power)
  return { place: (value) => Number(place(value).toFixed(1)), marks }
}

/**
 * Returns the SVG of a curve `{ name, x, unit, order, points }`: its points, a line through them, and a dashed line of the stated order
 * through the first point.
 */
export function chartOf ({ name, x, unit, order, points }) {
  const places = points.map(([at, y]) => [Math.max(at, LEAST), y])
  const [[startX, startY]] = places
  const endX = places.at(-1)[0]
  const expected = [[startX, startY], [endX, startY * (endX / startX) ** EXPONENTS[order]]]
  const across = axisOf(places.map(([at]) => at), LEFT, RIGHT)
  const up = axisOf([...places, ...expected].map(([, y]) => y), BOTTOM, TOP)
  const path = (line) => line.map(([at, y]) => `${across.place(at)},${up.place(y)}`).join(' ')
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">`,
    `<title>${escape(name)}</title>`,
    `<style>${STYLE}</style>`,
    `<text class="title" x="16" y="24">${escape(name)}</text>`,
    ...up.marks.map((mark) => `<path class="grid" d="M${LEFT} ${up.place(mark)}H${RIGHT}"/><text x="${LEFT - 8}" y="${up.place(mark) + 4}" text-anchor="end">${short(mark)}</text>`),
    ...places.map(([at], index) => `<text x="${across.place(at)}" y="${BOTTOM + 18}" text-anchor="middle">${short(points[index][0])}</text>`),
    `<path class="axis" d="M${LEFT} ${TOP}V${BOTTOM}H${RIGHT}"/>`,
    `<polyline class="order" points="${path(expected)}"/>`,
    `<polyline class="curve" points="${path(places)}"/>`,
    ...places.map(([at, y]) => `<circle class="point" cx="${across.place(at)}" cy="${up.place(y)}" r="3"><title>${short(y)} ${escape(unit)}</title></circle>`),
    `<text x="${(LEFT + RIGHT) / 2}" y="${BOTTOM + 40}" text-anchor="middle">${escape(x)}; dashed: ${order}</text>`,
    `<text x="16" y="${TOP - 6}">${escape(unit)}</text>`,
    '</svg>', ''
  ].join('\n')
}
