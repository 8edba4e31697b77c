import { expect, test } from 'vitest'
import { ChainError, chainEvidence, check, verifyingFetch } from '../src/index.ts'
import { fakeChain } from './FakeChain.ts'
import { digest, FakeGateway, network, nowMs } from './FakeGateway.ts'

async function answered(gateway: FakeGateway) {
  const baseURL = await gateway.listen()
  await verifyingFetch({ least: 'signed', network, evidence: gateway.evidence, now: () => nowMs })(
    `${baseURL}/chat/completions`,
    {
      method: 'POST',
      headers: { authorization: 'Bearer key' },
      body: JSON.stringify({ model: 'fake-model', messages: [{ role: 'user', content: 'Hi' }] }),
    },
  )
  const id = gateway.paths.at(-1)?.split('/').at(-1) ?? ''
  const transcript = gateway.transcript(id)
  if (!transcript) throw new Error(`no transcript ${id}`)
  return transcript
}

test('keys and roots come from the chain', async () => {
  await using gateway = new FakeGateway()
  const transcript = await answered(gateway)
  await using chain = await fakeChain(gateway)
  expect(await chainEvidence(chain.network, transcript)).toEqual({ keys: [gateway.key], roots: [] })
  const report = await check(transcript, {
    network: chain.network,
    policy: { least: 'signed' },
    now: nowMs,
  })
  expect(report.judgement).toEqual({ met: true })
  expect(report.verdicts[1]).toMatchObject({ rung: 'committed', outcome: 'unknown' })
})

test('a key nobody registered leaves `signed` unknown', async () => {
  await using gateway = new FakeGateway()
  await using other = new FakeGateway()
  const transcript = await answered(gateway)
  await using chain = await fakeChain(other)
  const report = await check(transcript, { network: chain.network, policy: { least: 'signed' }, now: nowMs })
  expect(report.judgement).toMatchObject({ met: false, rung: 'signed', reason: { code: 'key-unknown' } })
})

test('a chain that is away is an error that names it', async () => {
  await using gateway = new FakeGateway()
  const transcript = await answered(gateway)
  const error = await chainEvidence(network, transcript).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ChainError)
  expect(error).toMatchObject({ network: 'fake', rpc: network.rpc })
})

test('an offer signed by another key of the provider: that key is read too', async () => {
  await using gateway = new FakeGateway()
  const { receipt, offer } = await answered(gateway)
  await using chain = await fakeChain(gateway)
  const keyId = digest('another key')
  await chainEvidence(chain.network, { receipt, offer: { ...offer, offer: { ...offer.offer, keyId } } })
  expect(new Set(chain.asked)).toEqual(new Set([gateway.key.keyId, keyId]))
})
