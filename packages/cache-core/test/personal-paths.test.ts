import { PersonalPaths } from '@x/cache-core/suite'
import fc from 'fast-check'
import t from 'tap'
import { anyCharacter } from '@x/test-kit/texts'

function personal (...prefixes: string[]): PersonalPaths {
  const paths = new PersonalPaths()
  paths.add(prefixes)
  return paths
}

t.test('hasUrl: what lies under the prefix, at a slash', async (t) => {
  const paths = personal('/api/user', '/me')
  for (const url of ['/api/user', '/api/user/', '/api/user/1', '/api/user?x=1', '/api/user/1?x#y', '/me', '/me/', '/me#top']) {
    t.equal(paths.hasUrl(url), true, url)
  }
  for (const url of ['/', '/api', '/api/users', '/api/use', '/menu', '/x/api/user', '/api?/user', '/api?x=/api/user']) {
    t.equal(paths.hasUrl(url), false, url)
  }
})

t.test('hasUrl: in whatever way the path is written', async (t) => {
  const paths = personal('/api/user')
  const urls = [
    // paths that are percent-encoded once or twice
    '/api/%75ser', '/%61pi/user', '/api%2Fuser', '/api%2fuser/1', '/%2561pi/user', '/api/%2575ser', '/api%252Fuser', '/api/user%3Fx', '/api/user%2F1',
    '/api/user%3Bx/1', '/api/user%23',
    // paths with upper-case letters
    '/API/User', '/api/%55SER',
    // paths with further slashes and dots
    '//api/user', '/api//user', '/api/./user', '/./api/user/.', '/x/../api/user', '/api/x/../user/1', '/../api/user', '/api\\user', '/%2e%2e/api/user',
    '/x/%2e%2e/api/user', '/x/..%2fapi/user',
    // paths with path parameters
    '/api/user;v=1', '/api;v=1/user', '/;/api/user', '/api/user;/../x', '/x/..;/api/user', '/api/user;jsessionid=1/orders',
    // a path that is personal for a router that resolves no dots
    '/api/user/../public',
    // request lines with a whole URL
    'http://host.example/api/user', 'HTTPS://host.example:8900/api/user?x', 'http://u:p@host.example/%61pi/user'
  ]
  for (const url of urls) t.equal(paths.hasUrl(url), true, url)
})

t.test('hasUrl: what cannot be decoded counts as personal', async (t) => {
  const paths = personal('/api/user')
  for (const url of ['/%', '/x%zz', '/%ff', '/%c3', '/x%25zz', '/%25252575ser']) t.equal(paths.hasUrl(url), true, url)
  t.equal(paths.hasUrl('/x?rate=100%'), false, 'but a query is not a part of the path')
})

t.test('hasUrl: prefixes may be written in any way, too', async (t) => {
  for (const prefix of ['/api/user/', '/API/user', '/api//user', '/api/./user', '/x/../api/user', '/api/%75ser']) {
    const paths = personal(prefix)
    t.same([paths.hasUrl('/api/user/1'), paths.hasUrl('/api/users')], [true, false], prefix)
  }
  t.equal(personal('/für').hasUrl('/f%C3%BCr/x'), true)
  t.equal(personal('/f%C3%BCr').hasUrl('/f%c3%bcr'), true)
})

t.test('hasUrl: the prefix / is all', async (t) => {
  for (const url of ['/', '/x', '/x/y?z', '']) t.equal(personal('/').hasUrl(url), true, url)
})

t.test('hasUrl, hasRoute: nothing is personal without prefixes', async (t) => {
  t.equal(personal().hasUrl('/%'), false)
  t.equal(personal().hasRoute('/api/user'), false)
})

t.test('add: adds to those that are there', async (t) => {
  const paths = personal('/a')
  paths.add(['/b'])
  t.same(['/a/1', '/b/1', '/c/1'].map((url) => paths.hasUrl(url)), [true, true, false])
})

t.test('hasRoute: by the pattern of the route', async (t) => {
  const paths = personal('/api/user')
  for (const pattern of ['/api/user', '/api/user/:id', '/API/user/*', '/api/user/', '//api/user']) t.equal(paths.hasRoute(pattern), true, pattern)
  for (const pattern of ['/api/users', '/api/:name', '/*', '/']) t.equal(paths.hasRoute(pattern), false, pattern)
})

t.test('hasUrl: however a personal path is encoded, it stays personal', async () => {
  const paths = personal('/api/user')
  const disguise = (text: string, choices: readonly number[]): string => [...text].map((char, at) => {
    const code = char.charCodeAt(0).toString(16)
    switch (choices[at % choices.length]! % 4) {
      case 1: return `%${code}`
      case 2: return char.toUpperCase()
      case 3: return `%25${code}`
      default: return char
    }
  }).join('')
  fc.assert(fc.property(fc.array(fc.nat(), { minLength: 1 }), fc.webPath(), (choices, rest) => {
    return paths.hasUrl(`/${disguise('api/user', choices)}${rest}`)
  }))
})

t.test('hasUrl: never throws, whatever the URL', async () => {
  const paths = personal('/api/user')
  fc.assert(fc.property(fc.string({ unit: anyCharacter }), (url) => typeof paths.hasUrl(url) === 'boolean'))
})
