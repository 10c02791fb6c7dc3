// Functions that format numbers as text, for all sections of the console.
const { cacheConsole } = globalThis

function count (value) {
  return Number(value.toPrecision(value < 100 ? 3 : 15)).toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 1 : 0 })
}

function percent (share) {
  return `${(share * 100).toLocaleString('en-US', { maximumFractionDigits: share > 0 && share < 0.1 ? 1 : 0 })}\u00a0%`
}

function duration (seconds) {
  const size = Math.abs(seconds)
  if (size === 0) return '0 s'
  const sign = seconds < 0 ? '−' : ''
  for (const [unit, least] of [['d', 86_400], ['h', 3600], ['min', 60], ['s', 1], ['ms', 1e-3], ['µs', 1e-6]]) {
    if (size >= least) return `${sign}${Number((size / least).toPrecision(3))} ${unit}`
  }
  return `${sign}${Math.round(size * 1e9)} ns`
}

function bytes (value) {
  for (const [unit, least] of [['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10]]) {
    if (value >= least) return `${Number((value / least).toPrecision(3))} ${unit}`
  }
  return `${Math.round(value)} B`
}

function time (iso) {
  const at = new Date(iso)
  return Number.isNaN(at.getTime()) ? '–' : at.toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })
}

/** Formats a number; a missing number is shown as a dash. */
function known (value, format) {
  return typeof value === 'number' && Number.isFinite(value) ? format(value) : '–'
}

Object.assign(cacheConsole, { formats: { count, percent, duration, bytes, time, known } })
