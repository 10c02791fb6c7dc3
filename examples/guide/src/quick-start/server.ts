import { buildApp } from './observe.js' // replace by './edge.js' in step 2 and by './redis.js' in step 3

const app = await buildApp()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { void app.close() })
console.log(await app.listen({ port: Number(process.env.PORT ?? 3000) }))
