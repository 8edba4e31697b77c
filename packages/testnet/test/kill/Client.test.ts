import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import * as Client from './Client.ts'

// What the kill test makes of what a gateway says; the gateway is a double that says what it is told to.

const request = `0x${'ab'.repeat(32)}` as const
const id = `chatcmpl-${request.slice(2)}`
const whole = JSON.stringify({ id, choices: [{ message: { content: 'Tokyo.' } }] })
const chunk = (content: string) => `data: ${JSON.stringify({ id, choices: [{ delta: { content } }] })}\n\n`
const refusal = (code: string) => JSON.stringify({ error: { message: 'No.', type: 'x', param: null, code } })
const never = { kind: 'never' } as const

async function ask(
  stream: boolean,
  say: (response: ServerResponse) => void,
  leaves: Client.Departure = never,
): Promise<Client.Told> {
  const server = createServer((_, response) => say(response)).listen(0, '127.0.0.1')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return Client.ask(url, { apiKey: 'k', request, headers: {}, body: { stream }, repeatable: true }, leaves)
}

test.each([
  ['a whole answer', false, whole],
  ['a stream to its end', true, `${chunk('Tok')}${chunk('yo.')}data: [DONE]\n\n`],
])('%s is answered', async (_, stream, text) => {
  const told = await ask(stream, (response) => response.end(text))
  expect(told).toMatchObject({ answered: true, answer: { outcome: 'answered', request, content: 'Tokyo.' } })
  expect(told.fault).toBeUndefined()
})

test.each([
  ['no_provider', 'refused'],
  ['unavailable', 'broken'],
])('%s: whether something was charged is %s', async (code, outcome) => {
  for (const text of [refusal(code), `${chunk('Tok')}data: ${refusal(code)}\n\n`])
    expect(await ask(true, (response) => response.end(text))).toEqual({
      ...{ label: code, answered: false, answer: { request, outcome } },
    })
})

test.each([
  ['no JSON', false, '{"id": }'],
  ['a piece that is no JSON', true, 'data: {"id": }\n\ndata: [DONE]\n\n'],
  ['a document without an answer', false, '{}'],
])('%s is a fault', async (_, stream, text) => {
  const told = await ask(stream, (response) => response.end(text))
  expect(told).toMatchObject({ answered: false, answer: { outcome: 'broken' } })
  expect(told.fault).toContain(text)
})

test.each(['invalid_value', 'internal_error'])('%s, said of a good question, is a fault', async (code) => {
  const told = await ask(false, (response) => response.end(refusal(code)))
  expect(told).toMatchObject({ label: code, answered: false, fault: `${code}: No.` })
})

test('what breaks off is neither answered nor a fault', async () => {
  const broken = { label: 'cut off', answered: false, answer: { request, outcome: 'broken' } }
  expect(await ask(true, (response) => response.end(chunk('Tok')))).toEqual(broken)
  expect(
    await ask(false, (response) => {
      response.write(whole.slice(0, 20))
      response.destroy()
    }),
  ).toEqual(broken)
})

test('who leaves after a piece does not know what became of it', async () => {
  const told = await ask(true, (response) => response.write(chunk('Tok')), { kind: 'pieces', count: 1 })
  expect(told).toEqual({ label: 'left', answered: false, answer: { request, outcome: 'broken' } })
})
