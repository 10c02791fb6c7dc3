// Sends mixed requests to running servers until it is ended: node dist/soak/load.js --rate 50 http://app-1:8900 http://app-2:8900
import { parseArgs } from 'node:util'
import closeWithGrace from 'close-with-grace'
import { Traffic } from './traffic.js'

const { values: { rate }, positionals: urls } = parseArgs({ allowPositionals: true, options: { rate: { type: 'string', default: '50' } } })
const traffic = new Traffic(urls)
const sending = traffic.run(2 * urls.length, Number(rate))
closeWithGrace(async function close () {
  traffic.stop()
  await sending
  console.log(`${traffic.sent} requests: ${JSON.stringify(traffic.statuses)}`)
})
