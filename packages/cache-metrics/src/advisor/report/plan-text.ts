import { forComment, jsLiteral, shellWord } from './escape.js'
import { percent, seconds } from './figures.js'
import type { Plan } from './plan.js'

/** Returns a sentence with the expected effect of the plan. */
export function expectedText ({ expected: { hitRate, routeHitRate, savedSecondsPerHour } }: Plan): string {
  const parts = [
    ...hitRate === undefined ? [] : [`${percent(hitRate)} hits${savedSecondsPerHour === undefined ? '' : `, ${seconds(savedSecondsPerHour)} of loading saved per hour`}`],
    ...routeHitRate === undefined ? [] : [`${percent(routeHitRate)} of the requests to the routes of the plan answered by stored responses`]
  ]
  return `Expected: ${parts.join('; ')}.`
}

/** Returns the plan of the report as one piece of code, to be pasted in front of the app's routes. */
export function planText (plan: Plan): string {
  const { options: { implementation, memory, ...shared }, edge, redis, env } = plan
  const lines = [
    `// ${forComment(expectedText(plan))}`,
    `// Paste in front of the routes, in place of the app's own registrations of ${edge === undefined ? '@x/cache-core and @x/cache-redis' : '@x/cache-core, @x/cache-redis and @x/cache-edge'}.`,
    '// Keep their other options, such as serializer, personal, guard and keyPrefix: values of another serializer are not what the app has loaded.',
    ...shared.patterns === undefined
      ? ['// Calls with a ttl of their own keep it.']
      : ['// The ttl of a pattern replaces the number in a call. A call with a ttl of 0, or with a function, keeps its own.'],
    '// Each process has a cache of its own, and does not receive the invalidations of another one. For several processes set CACHE_REDIS_URL:',
    '// rollout.percent is 0 in every process first, so that all of them invalidate; then raise it, and go back the same way.',
    'const cacheRedisUrl = process.env.CACHE_REDIS_URL',
    `const cacheOptions = ${jsLiteral(shared)}`,
    `const cacheMemory = ${jsLiteral({ implementation, memory })}`,
    'await app.register(import(\'@x/cache-core\'), cacheRedisUrl === undefined ? { ...cacheOptions, ...cacheMemory } : cacheOptions)'
  ]
  if (redis !== undefined) {
    lines.push('if (cacheRedisUrl !== undefined) {', `  await app.register(import('@x/cache-redis'), { url: cacheRedisUrl, ...${jsLiteral(redis).replaceAll('\n', '\n  ')} })`, '}')
  }
  if (edge !== undefined) {
    lines.push(
      '// Whole responses of these routes are stored, for requests without cookies and credentials. What such a response answers reads no key.',
      `await app.register(import('@x/cache-edge'), ${jsLiteral(edge)})`
    )
  }
  lines.push(`// Or, with cacheOptionsFromEnv(): ${Object.entries(env).map(([name, value]) => forComment(`${name}=${shellWord(value)}`)).join(' ')}`)
  return lines.join('\n')
}
