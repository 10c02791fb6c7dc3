import { deferred, settle } from '@x/test-kit/deferred'
import type { Setup, Subject } from './subjects.js'

/** The objects that a claim may use: the subject, and its clock. */
export interface Trial { readonly subject: Required<Pick<Subject, 'load'>> & Subject; advance (seconds: number): void }

/** A claim about a cache. `holds` returns whether it is true for a subject, or `undefined` if the package has no call for it. */
export interface Claim { readonly setup?: Setup; readonly needs?: 'remove' | 'invalidate'; holds (trial: Trial): Promise<boolean> }

/** Starts a load, removes its entry before it ends, and returns whether a later call gets a value that was loaded after the removal. */
async function isNewAfter (subject: Trial['subject'], remove: () => Promise<unknown>): Promise<boolean> {
  const old = deferred<string>()
  const loading = subject.load('a', () => old.promise)
  await settle()
  await remove()
  old.resolve('old')
  await loading
  await settle()
  return await subject.load('a', async () => 'new') === 'new'
}

/** Starts a load, removes its entry before it ends, and returns whether a call that begins at that time runs a separate loader. */
async function isSeparateAfter (subject: Trial['subject'], remove: () => Promise<unknown>): Promise<boolean> {
  const old = deferred<string>()
  const loading = subject.load('a', () => old.promise)
  await settle()
  await remove()
  const later = subject.load('a', async () => 'new')
  await settle()
  old.resolve('old')
  await loading
  return await later === 'new'
}

/** Invalidates the tag of the entry, then waits for a second, in which the pending load of the claim ends. */
async function invalidateAndWait ({ subject, advance }: Trial): Promise<void> {
  await subject.invalidate!('a')
  advance(1)
}

/** The claims by their sentence in the table of the README. */
export const CLAIMS: Readonly<Record<string, Claim>> = {
  'one load for concurrent calls of a key': {
    async holds ({ subject }) {
      let loads = 0
      const loader = async (): Promise<number> => { await settle(); return ++loads }
      await Promise.all([subject.load('a', loader), subject.load('a', loader), subject.load('a', loader)])
      return loads === 1
    }
  },
  'a stored null is a hit': {
    async holds ({ subject }) {
      await subject.load('a', async () => null)
      return await subject.load('a', async () => 'again') === null
    }
  },
  'invalidation by tag': {
    needs: 'invalidate',
    async holds ({ subject, advance }) {
      await subject.load('a', async () => 'old')
      advance(1)
      await subject.invalidate!('a')
      advance(1)
      return await subject.load('a', async () => 'new') === 'new'
    }
  },
  'a value that is removed while it is loaded is not served later': {
    needs: 'remove',
    holds: ({ subject }) => isNewAfter(subject, () => subject.remove!('a'))
  },
  'a value whose tag is invalidated while it is loaded is not served later': {
    needs: 'invalidate',
    holds: (trial) => isNewAfter(trial.subject, () => invalidateAndWait(trial))
  },
  'a call after an invalidation joins no earlier load': {
    needs: 'invalidate',
    holds: (trial) => isSeparateAfter(trial.subject, () => invalidateAndWait(trial))
  },
  'a reader that changes its value changes no other': {
    async holds ({ subject }) {
      await subject.load('a', async () => ({ name: 'Ada' }))
      const one = await subject.load('a', async () => ({ name: 'again' })) as { name: string }
      one.name = 'changed'
      return (await subject.load('a', async () => ({ name: 'again' })) as { name: string }).name === 'Ada'
    }
  },
  'stale while one load refreshes, after the ttl': {
    setup: { isStale: true },
    async holds ({ subject, advance }) {
      await subject.load('a', async () => 'old')
      advance(61)
      const stale = await subject.load('a', async () => 'new')
      await settle()
      await settle()
      return stale === 'old' && await subject.load('a', async () => 'newer') === 'new'
    }
  },
  'stale if the load fails, after the ttl': {
    setup: { isStale: true },
    async holds ({ subject, advance }) {
      await subject.load('a', async () => 'old')
      advance(61)
      const loader = async (): Promise<never> => { throw new Error('The database cannot be reached') }
      return await subject.load('a', loader).then((value) => value === 'old', () => false)
    }
  },
  'a store that fails makes no call fail': {
    setup: { isFailing: true },
    holds: ({ subject }) => Promise.resolve().then(() => subject.load('a', async () => 'loaded')).then((value) => value === 'loaded', () => false)
  }
}
