import t from 'tap'
import { LoadScope, LoadScopes } from '../src/loading/load-scope.js'
import { settle } from '@x/test-kit/deferred'

t.test('reaches: itself, what it waits for, and what that waits for', async (t) => {
  const [a, b, c] = ['a', 'b', 'c'].map((key) => new LoadScope(key, undefined)) as [LoadScope, LoadScope, LoadScope]
  t.ok(a.reaches(a))
  t.notOk(a.reaches(b))
  a.await(b)
  b.await(c)
  t.ok(a.reaches(c))
  t.notOk(c.reaches(a))
  c.await(a)
  t.notOk(a.reaches(new LoadScope('d', undefined)), 'a circle has an end')
  a.unawait(b)
  t.notOk(a.reaches(c))
})

t.test('end: nobody waits through a run that is over', async (t) => {
  const outer = new LoadScope('a', undefined)
  const inner = new LoadScope('b', outer)
  const other = new LoadScope('c', undefined)
  inner.await(other)
  t.ok(outer.reaches(other))
  inner.end()
  t.notOk(outer.reaches(inner))
  t.notOk(inner.reaches(other))
})

t.test('isRecursion: an unshared run of the key is this one or around it', async (t) => {
  const outer = new LoadScope('a', undefined)
  const unshared = new LoadScope('a', outer, true)
  const inner = new LoadScope('b', unshared)
  t.notOk(outer.isRecursion('a'))
  t.ok(unshared.isRecursion('a'))
  t.ok(inner.isRecursion('a'))
  t.notOk(inner.isRecursion('b'))
})

t.test('run: knows the synchronous part everywhere, and what follows where async context is cheap or a run is suspected', async (t) => {
  for (const isAlwaysTracked of [true, false]) {
    const scopes = new LoadScopes(isAlwaysTracked)
    const scope = new LoadScope('a', undefined)
    const later = async (): Promise<LoadScope | undefined> => {
      t.equal(scopes.of(scopes.entered), scope)
      await settle()
      t.equal(scopes.entered, undefined)
      return scopes.of(scopes.entered)
    }
    t.equal(await scopes.run(scope, later), isAlwaysTracked ? scope : undefined)
    t.equal(scopes.of(scopes.entered), undefined)
    const untrack = scopes.track()
    t.equal(await scopes.run(scope, later), scope)
    untrack()
    untrack()
    t.equal(await scopes.run(scope, later), isAlwaysTracked ? scope : undefined)
  }
})

t.test('run: a loader that throws leaves its scope', async (t) => {
  const scopes = new LoadScopes(false)
  t.throws(() => scopes.run(new LoadScope('a', undefined), () => { throw new Error('bug') }), { message: 'bug' })
  t.equal(scopes.entered, undefined)
})
