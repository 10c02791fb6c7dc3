import { buildApp } from './observe.js' // then './edge.js', then './redis.js'

const app = await buildApp()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { void app.close() })
console.log(await app.listen({ port: Number(process.env.PORT ?? 3000) }))
