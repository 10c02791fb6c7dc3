export const USAGE = `Usage: cache-advisor <command> <source> [options]

What would a cache do? From an app that observes, a Prometheus server that scrapes it, or a log or trace file.

Commands
  report   what deserves a cache, at which ttl and size, and what it would save
  plan     the options to paste: of key patterns, of the edge for routes, of Redis
  gates    the go/no-go matrix; of an app with a canary also the criteria of its stage
  rollout ACTION       the canary of an app (--app): status, pause, resume, back (one stage),
                       to N (a stage's percent, or 0), off (percent 0 in all processes at once)

Sources, one of
  --app URL            an app with @x/cache-metrics: its /internal/cache/advice; given again, the accesses of all
                       apps or processes are merged, as if they shared one cache
  --prometheus URL     a Prometheus server (report and gates)
  --trace FILE         an access log of a web server, a proxy, a CDN or a Fastify app (formats: see --log-format)
                       or one key a line without blanks; plain or gzip, - is standard input

Options
  --format FORMAT      markdown, text or json (default: markdown)
  --help, --version

With rollout to, off or resume
  --pattern PATTERN    for this key pattern alone; to takes any percent then

With --app or --prometheus
  --header 'NAME: VALUE'  sent along, as a guard wants it; may be given again

With --prometheus
  --window DURATION    how far back, such as 12h or 7d (default: 7d)
  --selector MATCHERS  labels of the series, such as 'job="api",env="live"'

With --trace
  --log-format NAME    what the file is (default: by its lines): keys, common, edge, haproxy, squid, envoy, alb,
                       cloudfront, iis, nginx-json, caddy, traefik-json, envoy-json, cloudflare, pino
  --fields LIST        members of any other JSON log, such as time=ts,request=line,status=code,ms=took; names: time,
                       request or method, target and query, status, host, user, bytes, seconds or ms, us, ns
  --rate N             requests per second of a file of keys (default: 20); a log has times of its own
  --ttl LIST           lifetimes in seconds, at most 12 (default: 1,10,60,300,900,3600,86400)
  --entries LIST       sizes of the cache in entries, at most 12 (default: 100,1000,5000,20000,100000)
  --load-ms N          what loading a value takes, to price the hits (default: the response times, where a log has them)
  --value-bytes N      what a value takes (default: the bytes sent, where a log has them)
  --min-requests N     requests below which nothing is advised of a pattern (default: 200)

With --prometheus or --trace
  --min-days N         days below which the gates say nothing (default: 7)

Exit status: 0 go, 1 no-go, 2 not enough data or inconclusive, 3 error.
rollout status: 0 the stage goes well or the rollout is complete, 1 it is off or should step back, 2 it waits, 3 error.
rollout with another action: 0 carried out, 3 not carried out.
`
