import { PersonalPaths } from '@x/cache-core'
import t from 'tap'
import { kOwnRoute, Routes } from '../src/routes.js'

function routesWith ({ max = 200, personal = [] as string[] } = {}) {
  const paths = new PersonalPaths()
  paths.add(personal)
  return new Routes(max, paths)
}

function labels (routes: Routes): string[] {
  return [...routes.all()].map(({ label }) => label)
}

t.test('of: the label is the pattern, and a route is met once', async (t) => {
  const routes = routesWith()
  const config = { url: '/tables/:id' }
  const route = routes.of(config)
  t.equal(route?.traffic.label, '/tables/:id')
  t.equal(routes.of(config), route)
  t.equal(routes.of({ url: '' })?.traffic.label, '/')
})

t.test('of: routes of one pattern share what is seen', async (t) => {
  const routes = routesWith()
  t.equal(routes.of({ url: '/a', method: 'GET' })?.traffic, routes.of({ url: '/a', method: 'POST' })?.traffic)
})

t.test('of: what no route answers is unmatched, and never a candidate', async (t) => {
  const routes = routesWith()
  t.match(routes.of({}), { traffic: { label: 'unmatched' }, candidates: 'never' })
  t.equal(routes.of({})?.traffic, routes.of({})?.traffic, 'whichever handler answers')
})

t.test('of: the routes of the suite are no traffic', async (t) => {
  const routes = routesWith()
  for (const config of [{ url: '/metrics', [kOwnRoute]: true }, { url: '/internal/cache' }, { url: '/admin/internal/cache/advice' }]) {
    t.equal(routes.of(config), undefined)
    t.equal(routes.of(config), undefined)
  }
  t.equal(routes.of({ url: '/internal/cache-sizes' })?.traffic.label, '/internal/cache-sizes')
  t.equal(routes.of({ url: '/metrics' })?.traffic.label, '/metrics', 'a route of the app')
})

t.test('of: beyond the budget every label is other', async (t) => {
  const routes = routesWith({ max: 3 })
  for (let at = 0; at < 1_000_000; at++) routes.of({ url: `/route-${at}` })
  t.same(labels(routes), ['/route-0', '/route-1', '/route-2', 'other', 'unmatched'])
  t.equal(routes.of({ url: '/route-1', method: 'POST' })?.traffic.label, '/route-1')
})

t.test('of: a pattern under a personal prefix is never a candidate', async (t) => {
  const routes = routesWith({ personal: ['/api/user'] })
  t.equal(routes.of({ url: '/api/user' })?.candidates, 'never')
  t.equal(routes.of({ url: '/API/User/:id' })?.candidates, 'never')
  t.equal(routes.of({ url: '/api/users' })?.candidates, 'always')
})

t.test('of: a pattern with a parameter is judged by the URL', async (t) => {
  const routes = routesWith({ personal: ['/api/user'] })
  t.equal(routes.of({ url: '/api/:what' })?.candidates, 'by-url')
  t.equal(routes.of({ url: '/*' })?.candidates, 'by-url')
})
