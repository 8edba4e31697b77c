// The whole spine on the real model, chain, database and clients: one network, shared by the tests of this file.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Channels, connect, connectWallet, Inclusions, Providers, Stable } from '@counterfoil/chain'
import { ApiKeys, openDatabase } from '@counterfoil/gateway'
import { defaultStoreDir } from '@counterfoil/models'
import type { Bytes, Report, Transcript } from '@counterfoil/protocol'
import { Demand, fetchTranscript, verifyingFetch } from '@counterfoil/sdk'
import OpenAI from 'openai'
import { createTestClient, http } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inherited } from '../src/config.ts'
import * as Params from '../src/Params.ts'
import * as Secrets from '../src/Secrets.ts'
import * as Testnet from '../src/Testnet.ts'
import * as Python from './Python.ts'

let home: string
let testnet: Testnet.Testnet
const seen: { report: Report; transcript: Transcript.Transcript }[] = []

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'counterfoil-'))
  testnet = await Testnet.up({ home, storeDir: defaultStoreDir(inherited) })
}, 300_000)
afterAll(async () => {
  await testnet?.stop()
  rmSync(home, { recursive: true })
}, 60_000)

function client(least: 'signed' | 'committed' = 'signed') {
  return new OpenAI({
    baseURL: `${testnet.url}/v1`,
    apiKey: testnet.apiKey,
    maxRetries: 0,
    fetch: verifyingFetch({
      least,
      network: testnet.network,
      onReport: (report, transcript) => seen.push({ report, transcript }),
    }),
  })
}

const question = { role: 'user', content: 'What is the capital of Japan?' } as const

test('the openai client gets an answer whose receipt is signed', async () => {
  const answer = await client().chat.completions.create({
    model: testnet.model.name,
    messages: [question],
    temperature: 0,
    max_completion_tokens: 32,
  })
  expect(answer.choices[0]?.message.content).toContain('Tokyo')
  const { report, transcript } = seen.at(-1) ?? expect.fail('no report')
  expect(report.verdicts.map(({ rung, outcome }) => `${rung} ${outcome}`)).toContain('signed holds')
  expect(transcript.nonceFrom).toBe('caller')
  expect(transcript.receipt.claim.model).toBe(testnet.model.id)
  expect(answer.usage?.completion_tokens).toBe(transcript.receipt.claim.usage.outputTokens)
})

test('a stream is the same answer, and ends with its usage', async () => {
  const stream = await client().chat.completions.create({
    model: testnet.model.name,
    messages: [question],
    temperature: 0,
    max_completion_tokens: 32,
    stream: true,
    stream_options: { include_usage: true },
  })
  let text = ''
  let completionTokens: number | undefined
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? ''
    completionTokens = chunk.usage?.completion_tokens ?? completionTokens
  }
  const whole = seen.at(0)?.transcript.output.choices[0]?.message.content
  expect(text).toBe(whole)
  expect(completionTokens).toBe(seen.at(-1)?.transcript.receipt.claim.usage.outputTokens)
})

test('the same seed draws the same answer, another seed another one', async () => {
  const draw = async (seed: number) => {
    const answer = await client().chat.completions.create({
      model: testnet.model.name,
      messages: [question],
      seed,
      max_completion_tokens: 24,
    })
    return answer.choices[0]?.message.content
  }
  const first = await draw(1)
  expect(await draw(1)).toBe(first)
  expect(await draw(2)).not.toBe(first)
})

test('an answer is given only once it is committed, where the policy asks for that', async () => {
  const answer = await client('committed').chat.completions.create({
    model: testnet.model.name,
    messages: [question],
    max_completion_tokens: 8,
  })
  expect(answer.choices).toHaveLength(1)
  expect(seen.at(-1)?.report.verdicts.find(({ rung }) => rung === 'committed')?.outcome).toBe('holds')
}, 60_000)

test('a client that knows nothing of receipts finds id and receipt in the stream', async () => {
  const response = await fetch(`${testnet.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${testnet.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: testnet.model.name, messages: [question], max_tokens: 8, stream: true }),
  })
  const id = response.headers.get('x-receipt-id') as Bytes.Hex
  const lines = (await response.text())
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
  expect(lines.at(-1)).toBe('data: [DONE]')
  expect(JSON.parse((lines.at(-2) ?? '').replace(/^: receipt /, ''))).toMatchObject({
    claim: { request: id },
  })
  const transcript = await fetchTranscript(
    { baseURL: `${testnet.url}/v1`, headers: { authorization: `Bearer ${testnet.apiKey}` } },
    id,
  )
  expect(transcript.nonceFrom).toBe('gateway')
})

test("Python's openai client streams and gets the header", async ({ skip }) => {
  const found = await Python.withOpenai()
  if ('missing' in found) {
    console.warn(`skipped: this test needs ${found.missing}`)
    return skip()
  }
  const script = `
import os
from openai import OpenAI, BadRequestError
client = OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["API_KEY"], max_retries=0)
ask = dict(model=os.environ["MODEL"], messages=[{"role": "user", "content": "What is the capital of Japan?"}], temperature=0, max_completion_tokens=32)
raw = client.chat.completions.with_raw_response.create(**ask, logprobs=True, top_logprobs=2)
answer = raw.parse()
assert len(raw.headers["x-receipt-id"]) == 66
assert len(answer.choices[0].logprobs.content) == answer.usage.completion_tokens - 1  # end-of-sequence has no text
text = "".join(chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**ask, stream=True) if chunk.choices)
assert text == answer.choices[0].message.content, (text, answer)
assert [model.id for model in client.models.list()] == [os.environ["MODEL"]]
try:
    client.chat.completions.create(**{**ask, "temperature": 9})
except BadRequestError as error:
    assert error.param == "temperature", error
    print(text)
`
  const said = await Python.python(found.python, script, {
    BASE_URL: `${testnet.url}/v1`,
    API_KEY: testnet.apiKey,
    MODEL: testnet.model.name,
  })
  expect(said).toContain('Tokyo')
}, 400_000)

test('providers are paid exactly what was claimed, on chain', async () => {
  const { data } = await client().models.list()
  expect(data.map(({ id }) => id)).toEqual([testnet.model.name])
  await using database = await openDatabase(testnet.databaseUrl ?? expect.fail('no database'))
  const key = (await ApiKeys.list(database)).at(0) ?? expect.fail('no key')
  expect(key.reserved).toBe(0n)
  const spent = Params.balanceMicros - key.balance
  expect(spent).toBeGreaterThan(0n)
  const channels = [...new Set(seen.map(({ transcript }) => transcript.receipt.claim.channel))]
  expect(channels).toHaveLength(2)
  const chain = connect(testnet.network)
  const redeemed = async () => {
    const found = await Promise.all(channels.map((channel) => Channels.read(chain, channel)))
    return found.reduce((sum, channel) => sum + (channel?.redeemed ?? 0n), 0n)
  }
  const deadline = performance.now() + 80_000
  while ((await redeemed()) < spent && performance.now() < deadline) await wait(250)
  expect(await redeemed()).toBe(spent)
}, 90_000)

// THESE TWO STAY LAST, in this order: the second lets the chain's time go 21 days on, and stops a provider. A test after them
// would find keys, offers and channels of another time than this machine's; it belongs above this line.

const receiptOf = async (least: 'signed' | 'committed') => {
  await client(least).chat.completions.create({
    model: testnet.model.name,
    messages: [question],
    max_completion_tokens: 8,
  })
  return (seen.at(-1) ?? expect.fail('no report')).transcript.receipt
}
const pass = (seconds: number) =>
  createTestClient({ mode: 'anvil', transport: http(testnet.network.rpc) }).increaseTime({ seconds })
/** Somebody who holds a receipt, with gas and coins. */
async function demander(): Promise<Bytes.Hex> {
  const privateKey = Secrets.privateKey(join(home, 'keys'), 'demander')
  const to = privateKeyToAddress(privateKey)
  const chain = createTestClient({ mode: 'anvil', transport: http(testnet.network.rpc) })
  await chain.setBalance({ address: to, value: Params.gasWei })
  await Stable.mint(connectWallet(testnet.network, privateKey), { to, amount: Params.demands.bondMicros })
  return privateKey
}

test('a demand for inclusion is answered by the daemon, and its proof is evidence', async () => {
  const receipt = { ...(await receiptOf('committed')), evidence: [] }
  await Demand.due(testnet.network, receipt)
  const terms = await Demand.terms(testnet.network, receipt)
  expect(terms).toMatchObject({ bond: Params.demands.bondMicros, batch: 'posted' })
  const privateKey = await demander()
  await Demand.make(testnet.network, { receipt, privateKey })
  expect(await Demand.outcome(testnet.network, receipt)).toBe('answered')
  const proved = await Demand.prove(testnet.network, receipt)
  expect(await Demand.terms(testnet.network, proved)).toMatchObject({ batch: 'shown' })
  expect(await Demand.collect(testnet.network, privateKey)).toBe(0n)
}, 120_000)

test('a provider that is killed before it answers: the fault is recorded, its stake stays, the bond comes back', async () => {
  const receipt = await receiptOf('signed')
  await Demand.due(testnet.network, receipt)
  const privateKey = await demander()
  const names = ['provider-1', 'provider-2'] as const
  const wallets = names.map((name) =>
    connectWallet(testnet.network, Secrets.privateKey(join(home, 'keys'), name)),
  )
  const at = wallets.findIndex(({ account }) => account.address.toLowerCase() === receipt.claim.provider)
  const [name, wallet] = [names[at] ?? expect.fail('no such provider'), wallets[at] ?? expect.fail()]
  await Providers.requestExit(wallet)
  process.kill(testnet.pids()[name] ?? expect.fail(), 'SIGKILL')
  await Demand.make(testnet.network, { receipt, privateKey })
  await pass(Params.demands.answerSeconds + 1)
  // It is started again, and comes too late.
  expect(await Demand.outcome(testnet.network, receipt)).toBe('open')
  await Demand.fail(testnet.network, { receipt, privateKey })
  expect(await Demand.collect(testnet.network, privateKey)).toBe(Params.demands.bondMicros)
  const { provider } = receipt.claim
  expect(await Inclusions.standing(wallet, provider, { at: 'latest' })).toEqual({ open: 0, faults: 1 })
  await pass(Params.unbondingSeconds)
  await expect(Providers.withdraw(wallet)).rejects.toThrow('FaultRecorded')
}, 120_000)
