// The helpers that the sections of the console share, as `globalThis.cacheConsole`. Values are written into the page only as text and
// attribute values, never as markup, since clients choose the names of keys, tags and routes.
const SVG = 'http://www.w3.org/2000/svg'
const SVG_NAMES = new Set(['svg', 'g', 'path', 'line', 'text', 'circle'])

/** Makes an element. Attributes and children that are `undefined` or `false` are left out. */
function element (name, attributes = {}, ...children) {
  const made = SVG_NAMES.has(name) ? document.createElementNS(SVG, name) : document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(attribute, value === true ? '' : value)
  }
  made.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== false))
  return made
}

/** Shows a name that a client chose. The element `bdi` isolates marks of text direction in the name from the surrounding text. */
function nameOf (text) {
  return element('bdi', { class: 'name' }, text)
}

/** Shows a verdict as a mark with a text, so that its meaning does not depend on the colour. */
function badge (text, tone = 'plain') {
  return element('span', { class: `badge ${tone}` }, text)
}

/**
 * Makes a table with a caption, in a region that can be scrolled by keyboard if the screen is narrower than the table.
 * @param rows `{ key, cells }`; the first cell is the header of its row
 */
function table (caption, head, rows, empty = 'None yet.') {
  if (rows.length === 0) return element('p', { class: 'muted' }, `${caption}: ${empty}`)
  const numeric = (at) => rows.every(({ cells }) => typeof cells[at] === 'string' && /^[−–≤<>\d]/.test(cells[at]))
  const columns = head.map((_, at) => at > 0 && numeric(at) ? 'number' : undefined)
  return element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    element('table', {},
      element('caption', {}, caption),
      element('thead', {}, element('tr', {}, head.map((text, at) => element('th', { scope: 'col', class: columns[at] }, text)))),
      element('tbody', {}, rows.map(({ key, cells }) => element('tr', { 'data-key': key }, cells.map((cell, at) =>
        element(at === 0 ? 'th' : 'td', { scope: at === 0 ? 'row' : undefined, class: columns[at] }, cell)))))))
}

/** Makes a list of terms with their values. */
function facts (pairs) {
  return element('dl', { class: 'facts' }, pairs.map(([term, value, note]) => element('div', { 'data-key': term },
    element('dt', {}, term), element('dd', {}, value, note === undefined ? undefined : element('small', {}, note)))))
}

/**
 * Changes a node of the page until it equals the node `next`; returns the node of the page. Elements that stay keep their focus and their
 * state, such as an open `details`. A screen reader is not disturbed by unchanged elements.
 */
function patch (old, next) {
  if (old.nodeName !== next.nodeName || old.dataset?.key !== next.dataset?.key) {
    old.replaceWith(next)
    return next
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data
    return old
  }
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name) && name !== 'open') old.removeAttribute(name)
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value)
  patchChildren(old, [...next.childNodes])
  return old
}

/**
 * Changes the children of an element until they equal the wanted ones. Children with `data-key` are matched by that key, others by
 * position.
 */
function patchChildren (parent, wanted) {
  const byKey = new Map([...parent.children].filter(({ dataset }) => dataset.key !== undefined).map((child) => [child.dataset.key, child]))
  let place = parent.firstChild
  for (const child of wanted) {
    const key = child.dataset?.key
    const match = key === undefined ? (place?.dataset?.key === undefined ? place : null) : byKey.get(key)
    if (match === null || match === undefined) {
      parent.insertBefore(child, place)
      continue
    }
    if (match !== place) moveBefore(match, place)
    place = patch(match, child).nextSibling
  }
  while (place !== null) {
    const left = place
    place = place.nextSibling
    left.remove()
  }
}

/**
 * Moves an element before a sibling of it. An element with the focus would lose it on the way, so the siblings between the two are moved
 * instead, which neither blurs nor scrolls.
 */
function moveBefore (moved, place) {
  if (place === null || !moved.contains(document.activeElement)) {
    moved.parentNode.insertBefore(moved, place)
    return
  }
  const between = []
  for (let each = place; each !== null && each !== moved; each = each.nextSibling) between.push(each)
  moved.after(...between)
}

globalThis.cacheConsole = { element, nameOf, badge, table, facts, patchChildren }
