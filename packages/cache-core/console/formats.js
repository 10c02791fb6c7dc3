// Functions that format numbers as text, for all sections of the console.
const { cacheConsole } = globalThis

/** The percent below which, and the distance from 100 below which, a percent is shown only as a bound. */
const LEAST_PERCENT = 0.001

/** Formats a number: with two significant digits below 10, where a fixed number of decimals would show a small number as 0. */
function count (value) {
  const size = Math.abs(value)
  const digits = size < 10 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: size < 100 ? 1 : 0 }
  return value.toLocaleString('en-US', digits)
}

/** Formats a share as a percent. The text is 0 % only for 0, and 100 % for no share below 1. */
function percent (share) {
  const value = share * 100
  const rest = 100 - value
  if (share > 0 && value < LEAST_PERCENT) return `< ${LEAST_PERCENT}\u00a0%`
  if (share < 1 && rest < LEAST_PERCENT) return `> ${100 - LEAST_PERCENT}\u00a0%`
  const digits = value < 10 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: share < 1 && rest < 1 ? Math.ceil(-Math.log10(rest)) : 0 }
  return `${value.toLocaleString('en-US', digits)}\u00a0%`
}

/** Formats a percent with its fractions, such as that of a stage, or a value beside a threshold. */
function percentage (value) {
  return value > 99 && value < 100 ? percent(value / 100) : `${value.toLocaleString('en-US', { maximumSignificantDigits: 3 })}\u00a0%`
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

Object.assign(cacheConsole, { formats: { count, percent, percentage, duration, bytes, time, known } })
