#!/usr/bin/env bash
# prom-client 15.1.3: `metrics()` of an OpenMetrics registry takes "_total" from the name of each counter object for good. A counter that is in
# a registry of each format, as the option `registers` allows, is "hits_total" in the text format until OpenMetrics is asked for
# once, and "hits" from then on. `getMetricsAsJSON()`, which workers of a cluster send, has the other name as well. Seen with Node 20.20.2.
# It matters to us because one registry has one format, so that negotiation of the format takes two: the first scraper that
# accepts OpenMetrics ends the series of all others, and rules on "_total" are silent.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent prom-client@15.1.3

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { Counter, Registry } from 'prom-client'

const text = new Registry()
const open = new Registry(Registry.OPENMETRICS_CONTENT_TYPE)
new Counter({ name: 'hits_total', help: 'Hits.', registers: [text, open] }).inc()
/** The line of the counter in the text format, and its name in the JSON that is aggregated. */
const line = async () => ({ text: (await text.metrics()).match(/^hits.*$/m)[0], json: (await text.getMetricsAsJSON())[0].name })

const before = await line()
await open.metrics()
const after = await line()
console.log('before a scrape of OpenMetrics', before, 'and after it', after)
assert.deepEqual(before, { text: 'hits_total 1', json: 'hits_total' })
assert.deepEqual(after, { text: 'hits 1', json: 'hits' })
JS
node run.mjs
