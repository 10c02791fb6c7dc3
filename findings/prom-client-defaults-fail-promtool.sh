#!/usr/bin/env bash
# prom-client 15.1.3: its own default metrics do not pass the linter of Prometheus. `promtool check metrics` (2.42.0) ends with status 3 for
# three gauges whose names end in "_total": nodejs_active_handles_total, nodejs_active_requests_total, nodejs_active_resources_total.
# A counter of the app alone passes. It matters to us because a check of our /metrics/prom in continuous integration would be
# red for names that we do not choose: our lint runs on the suite's own metrics, without the defaults.
set -euo pipefail
command -v promtool > /dev/null || { echo 'needs promtool in the PATH' >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent prom-client@15.1.3

cat > print.mjs <<'JS'
import { Counter, Registry, collectDefaultMetrics } from 'prom-client'

const register = new Registry()
if (process.argv[2] === 'defaults') collectDefaultMetrics({ register })
else new Counter({ name: 'orders_total', help: 'Orders.', registers: [register] }).inc()
process.stdout.write(await register.metrics())
JS

promtool --version 2>&1 | head -n 1
node print.mjs own | promtool check metrics
echo 'own counter: status 0'
status=0
node print.mjs defaults > defaults.txt
promtool check metrics < defaults.txt > complaints.txt 2>&1 || status=$?
cat complaints.txt
echo "default metrics: status $status"
[ "$status" -eq 3 ]
diff - complaints.txt << 'TEXT'
nodejs_active_handles_total non-counter metrics should not have "_total" suffix
nodejs_active_requests_total non-counter metrics should not have "_total" suffix
nodejs_active_resources_total non-counter metrics should not have "_total" suffix
TEXT
