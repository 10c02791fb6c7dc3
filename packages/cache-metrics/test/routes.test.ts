import { PersonalPaths } from '@x/cache-core/suite'
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { kOwnRoute, Routes } from '../src/traffic/routes.js'

function routesWith ({ max = 200, personal = [] as string[] } = {}) {
  const paths = new PersonalPaths()
  paths.add(personal)
  return new Routes(max, paths)
}

/** Returns the measured route of a request without a mark. */
function of (routes: Routes, config: object) {
  return routes.of({ routeOptions: { config } } as FastifyRequest, undefined)
}

function labels (routes: Routes): string[] {
  return [...routes.all()].map(({ label }) => label)
}

t.test('of: the label is the pattern, and a route is met once', async (t) => {
  const routes = routesWith()
  const config = { url: '/tables/:id' }
  const route = of(routes, config)
  t.equal(route?.traffic.label, '/tables/:id')
  t.equal(of(routes, config), route)
  t.equal(of(routes, { url: '' })?.traffic.label, '/')
})

t.test('of: a mark stands for the route, which is asked for its config once', async (t) => {
  const routes = routesWith()
  let asked = 0
  const request = { get routeOptions () { asked++; return { config: { url: '/a' } } } } as FastifyRequest
  const mark = {}
  const route = routes.of(request, mark)
  t.equal(routes.of(request, mark), route)
  t.equal(asked, 1)
  t.equal(of(routes, { url: '/a' })?.traffic, route?.traffic, 'and shares what is seen with requests that came not so far')
})

t.test('of: routes of one pattern share what is seen', async (t) => {
  const routes = routesWith()
  t.equal(of(routes, { url: '/a', method: 'GET' })?.traffic, of(routes, { url: '/a', method: 'POST' })?.traffic)
})

t.test('of: what no route answers is unmatched, and never a candidate', async (t) => {
  const routes = routesWith()
  t.match(of(routes, {}), { traffic: { label: 'unmatched' }, candidates: 'never' })
  t.equal(of(routes, {})?.traffic, of(routes, {})?.traffic, 'whichever handler answers')
})

t.test('of: the routes of the suite are no traffic', async (t) => {
  const routes = routesWith()
  for (const config of [{ url: '/metrics', [kOwnRoute]: true }, { url: '/internal/cache' }, { url: '/admin/internal/cache/advice' }]) {
    t.equal(of(routes, config), undefined)
    t.equal(of(routes, config), undefined)
  }
  t.equal(of(routes, { url: '/internal/cache-sizes' })?.traffic.label, '/internal/cache-sizes')
  t.equal(of(routes, { url: '/metrics' })?.traffic.label, '/metrics', 'a route of the app')
})

t.test('of: beyond the budget every label is other', async (t) => {
  const routes = routesWith({ max: 3 })
  for (let at = 0; at < 1_000_000; at++) of(routes, { url: `/route-${at}` })
  t.same(labels(routes), ['/route-0', '/route-1', '/route-2', 'other', 'unmatched'])
  t.equal(of(routes, { url: '/route-1', method: 'POST' })?.traffic.label, '/route-1')
})

t.test('of: a pattern under a personal prefix is never a candidate', async (t) => {
  const routes = routesWith({ personal: ['/api/user'] })
  t.equal(of(routes, { url: '/api/user' })?.candidates, 'never')
  t.equal(of(routes, { url: '/API/User/:id' })?.candidates, 'never')
  t.equal(of(routes, { url: '/api/users' })?.candidates, 'always')
})

t.test('of: a pattern with a parameter is judged by the URL', async (t) => {
  const routes = routesWith({ personal: ['/api/user'] })
  t.equal(of(routes, { url: '/api/:what' })?.candidates, 'by-url')
  t.equal(of(routes, { url: '/*' })?.candidates, 'by-url')
})
