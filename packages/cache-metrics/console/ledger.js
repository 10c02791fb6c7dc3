// The section of the console about the cost ledger: the savings and the cost of the cache.
const { cacheConsole } = globalThis
const { element, nameOf, badge, table, facts, section, formats } = cacheConsole
const { count, percent, duration, bytes, known } = formats

const TONES = { saves: 'good', loses: 'bad' }
const ledger = section('ledger', 'Cost ledger')

cacheConsole.onAdvice(({ ledger: { seconds, rows } = { rows: [] } }) => {
  const sum = (of) => rows.reduce((total, row) => total + (of(row) ?? 0), 0)
  const losing = rows.filter(({ verdict }) => verdict === 'loses')
  ledger.setHidden(rows.length === 0)
  if (rows.length === 0) return
  ledger.show(
    facts([
      ['Saved', duration(sum(({ savedSeconds }) => savedSeconds)), `of loading, in ${duration(seconds)}`],
      ['Cost', duration(sum(({ costSeconds }) => costSeconds)), `${duration(sum(({ cost }) => cost.serialize))} of it serialising`],
      ['Bytes saved', bytes(sum(({ savedBytes }) => savedBytes)), `${bytes(sum(({ storedBytes }) => storedBytes))} stored`],
      ['Held', bytes(sum(({ heldBytes }) => heldBytes))]
    ]),
    ...losing.length === 0 ? [] : [element('h3', {}, 'Key patterns that lose'), element('ul', {}, losing.map(({ text }) => element('li', {}, text)))],
    table('Saved and spent by key pattern, in this process', [
      'Key pattern', 'Cache', 'Verdict', 'Reads', 'Hit rate', 'Saved', 'Reading', 'Storing', 'Serialising', 'Removing', 'Refreshing', 'Net', 'Bytes saved', 'Held'
    ], rows.map((row) => ({
      key: `${row.impl} ${row.keyPattern}`,
      cells: [
        nameOf(row.keyPattern), nameOf(row.impl), badge(row.verdict, TONES[row.verdict]), count(row.reads), row.reads === 0 ? '–' : percent(row.hits / row.reads),
        known(row.savedSeconds, duration), duration(row.cost.read), duration(row.cost.store), duration(row.cost.serialize), duration(row.cost.remove), duration(row.cost.refresh),
        known(row.netSeconds, duration), known(row.savedBytes, bytes), known(row.heldBytes, bytes)
      ]
    })))
  )
})
