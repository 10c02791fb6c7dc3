import type { FastifyPluginAsync } from 'fastify'

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Example server</title>
</head>
<body>
<main>
<h1>Example server</h1>
<ul>
<li><a href="internal/cache">The console of the cache</a></li>
<li><a href="internal/cache/advice">The advice, as JSON</a></li>
<li><a href="metrics/prom">The metrics</a></li>
<li><a href="api/public/tables">Tables, a public route that is stored</a></li>
</ul>
</main>
</body>
</html>
`

/** The first page for a browser, with links to the console of the cache and to the other pages. */
export const homeRoutes: FastifyPluginAsync = async function homeRoutes (app) {
  app.get('/', { schema: { hide: true } as object }, async function getHome (_request, reply) {
    return reply.type('text/html; charset=utf-8').send(PAGE)
  })
}
