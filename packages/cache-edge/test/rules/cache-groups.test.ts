import t from 'tap'
import { cacheGroupsField, groupsIn } from '../../src/rules/cache-groups.js'

t.test('groupsIn: RFC 9875 §2: a list of strings, each once; any other field names none', async (t) => {
  t.same(groupsIn('"a", "b";x=1, "a"'), ['a', 'b'])
  t.same(groupsIn(['"a"', '"b"']), ['a', 'b'])
  for (const field of [undefined, '', 'a', '"a", 1']) t.same(groupsIn(field), [], String(field))
})

t.test('cacheGroupsField: is read back as the same groups', async (t) => {
  t.equal(cacheGroupsField(['article:1', 'news']), '"article:1", "news"')
  t.same(groupsIn(cacheGroupsField(['article:1', 'news'])), ['article:1', 'news'])
})
