import t from 'tap'
import { routePattern } from '../../src/cli/route-pattern.js'

t.test('routePattern: what looks like an id, or like no word, is :id', async (t) => {
  const patterns: Record<string, string> = {
    '/': '/',
    '/products': '/products',
    '/products/': '/products/',
    '/products/42': '/products/:id',
    '/products/42/': '/products/:id/',
    '/api/v1/users/12?sort=name/7': '/api/v1/users/:id',
    '/a?b=/c': '/a',
    '/a/1#b/2': '/a/:id',
    '/o/3f2504e0-4f89-11d3-9a0c-0305e82c3301/x': '/o/:id/x',
    '/blob/9e107d9d372bb6826bd81d3542a419d6': '/blob/:id',
    '/order-123456': '/:id',
    '/page-12.html': '/page-12.html',
    '/%e4%bd%a0/x': '/:id/x',
    '/\u00e9t\u00e9': '/:id',
    [`/${'x'.repeat(41)}`]: '/:id',
    'http://host:80/a/1?x': '/a/:id',
    'http://host': '/',
    '/1/2/3/4/5/6/7/8': '/:id/:id/:id/:id/:id/:id/:id/:id',
    '/a/b/c/d/e/f/g/h/i/j': '/a/b/c/d/e/f/g/h/*'
  }
  for (const [target, pattern] of Object.entries(patterns)) t.equal(routePattern(target), pattern, target)
})
