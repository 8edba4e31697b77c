import { createServer } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as Standing from '../src/Standing.ts'

const [provider, model] = [`0x${'11'.repeat(20)}`, `0x${'22'.repeat(32)}`]
const audited = { provider, model, outcome: 'holds', reason: null, answers: 312, convicted: false }
const unknown = { code: 'audits-stale', message: 'the newest audit is 9 days old' }

/** What the next request is answered with. A gateway's own answers are tested in its room. */
let body = ''
const server = createServer((_, response) => response.end(body))
let baseURL = ''
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  baseURL = `http://127.0.0.1:${(server.address() as { port: number }).port}/v1`
})
afterAll(() => server.close())

test.each([
  [audited, 'holds, over 312 answers'],
  [{ ...audited, outcome: 'fails', convicted: true }, 'convicted, over 312 answers'],
  [{ ...audited, outcome: 'unknown', reason: unknown }, 'unknown: the newest audit is 9 days old'],
])('what a gateway says of a provider, in words', async (said, words) => {
  body = JSON.stringify({ providers: [said, { provider, model, outcome: 'perfect' }, 'nothing'] })
  const found = await Standing.read(baseURL)
  expect(found?.map(Standing.describe)).toEqual([words])
})

test.each(['', '{}', '{"providers":{}}', '<html>'])(
  'a gateway that answers %j says nothing',
  async (said) => {
    body = said
    expect(await Standing.read(baseURL)).toBeUndefined()
  },
)
