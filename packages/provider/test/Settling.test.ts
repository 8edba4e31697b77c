import { Batch, Claim, ProviderHttp, type Receipt } from '@counterfoil/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SigningKey } from '../src/index.ts'
import { Fixture, modelId, newPem } from './Fixture.ts'

// Batches and redemption over a chain that lags, goes away and is set back.

let fixture: Fixture
beforeEach(async () => {
  fixture = await new Fixture().start()
})
afterEach(() => fixture[Symbol.asyncDispose]())

const epochMs = 5000
async function answer(): Promise<Receipt.Receipt> {
  fixture.forgetToken()
  const { end } = await fixture.ask(await fixture.jobPost())
  if (!end) throw new Error('no end')
  return end.receipt
}
async function payFor(claims: readonly Claim.Claim[], cumulative: bigint): Promise<void> {
  const epoch = claims.at(-1)?.epoch ?? 0n
  const voucher = fixture.sign({ model: modelId, cumulative, epoch })
  expect((await fixture.pay({ voucher, accepts: claims.map(Claim.id), refuses: [] })).status).toBe(200)
}

test('a closed epoch is posted once; its leaves prove each claim against the root', async () => {
  const receipts = [await answer(), await answer()]
  await fixture.service.settle()
  expect(fixture.chain.posts).toEqual([])
  fixture.clock.advance(epochMs)
  await fixture.service.settle()
  await fixture.service.settle()
  expect(fixture.chain.posts.length).toBe(1)
  const [posted] = fixture.chain.posts
  if (!posted) throw new Error('not posted')
  const response = await fixture.call(ProviderHttp.paths.batch(fixture.key.keyId, posted.epoch))
  const { first, leaves } = ProviderHttp.readBatch(await response.json(), '$')
  expect(first).toBe(posted.first)
  for (const { claim } of receipts) {
    const path = Batch.prove(leaves, Number(claim.sequence - first))
    expect(Batch.includes(posted, { id: Claim.id(claim), sequence: claim.sequence }, path)).toBe(true)
  }
})

test('a chain that was away gets all batches in order; answers went on meanwhile', async () => {
  await answer()
  fixture.chain.away = true
  for (let i = 0; i < 3; i++) {
    fixture.clock.advance(epochMs)
    expect((await fixture.ask(await fixture.jobPost())).end).toBeDefined()
    await expect(fixture.service.settle()).rejects.toThrow(/ECONNREFUSED/)
  }
  fixture.chain.away = false
  fixture.clock.advance(epochMs)
  await fixture.service.settle()
  expect(fixture.chain.posts.map(({ first, end }) => [first, end])).toEqual([
    [0n, 1n],
    [1n, 2n],
    [2n, 3n],
    [3n, 4n],
  ])
})

test('epochs of an earlier key that closed after it was replaced are posted too', async () => {
  const { claim } = await answer()
  const old = fixture.key.keyId
  await payFor([claim], claim.amount)
  fixture.key = SigningKey.fromPem(newPem())
  await fixture.restart()
  await answer()
  fixture.clock.advance(epochMs)
  await fixture.service.settle()
  expect(new Set(fixture.chain.posts.map(({ keyId }) => keyId))).toEqual(new Set([old, fixture.key.keyId]))
  expect(fixture.chain.redemptions.map((one) => one.voucher.cumulative)).toEqual([claim.amount])
})

test('a batch of an earlier key that the chain contradicts holds up no other key', async () => {
  const { claim } = await answer()
  const root = { keyId: claim.keyId, epoch: claim.epoch, root: claim.keyId, first: 0n, end: 1n }
  fixture.key = SigningKey.fromPem(newPem())
  await fixture.restart()
  fixture.chain.latest.batches.set(`${claim.keyId}/${claim.epoch}`, { ...root, postedAt: 1, dueAt: 2 })
  await answer()
  fixture.clock.advance(epochMs)
  await fixture.service.settle()
  expect(fixture.chain.posts.map(({ keyId }) => keyId)).toEqual([fixture.key.keyId])
})

test('a chain that was set back gets again what it lost, and nothing that it kept', async () => {
  await answer()
  fixture.clock.advance(epochMs)
  await fixture.service.settle()
  fixture.chain.finalize()
  await answer()
  fixture.clock.advance(epochMs)
  await fixture.service.settle()
  fixture.chain.setBack()
  await fixture.restart()
  await fixture.service.settle()
  expect(fixture.chain.posts.map(({ first }) => first)).toEqual([0n, 1n, 1n])
  fixture.chain.finalize()
  await fixture.service.settle()
  expect(fixture.chain.posts.length).toBe(3)
})

test('a voucher is redeemed once its root is posted, never twice, and again only if the chain lost it', async () => {
  const { claim } = await answer()
  await payFor([claim], claim.amount)
  await fixture.service.settle()
  expect(fixture.chain.redemptions).toEqual([])
  fixture.clock.advance(epochMs)
  await fixture.service.settle()
  await fixture.service.settle()
  expect(fixture.chain.redemptions.map((one) => one.voucher.cumulative)).toEqual([claim.amount])
  fixture.chain.setBack()
  await fixture.service.settle()
  expect(fixture.chain.redemptions.length).toBe(2)
  fixture.chain.finalize()
  await fixture.restart()
  await fixture.service.settle()
  expect(fixture.chain.redemptions.length).toBe(2)
  const { claim: next } = await answer()
  await payFor([next], claim.amount + next.amount)
  fixture.clock.advance(epochMs)
  await fixture.service.settle()
  expect(fixture.chain.redemptions.at(-1)?.voucher.cumulative).toBe(claim.amount + next.amount)
})

test('a closed channel is given up; one with nothing left in its deposit waits for a top-up', async () => {
  const { claim } = await answer()
  await payFor([claim], claim.amount)
  fixture.clock.advance(epochMs)
  const { channel } = fixture.payer
  const open = fixture.chain.channels.get(channel)
  if (!open) throw new Error('no channel')
  fixture.chain.channels.set(channel, { ...open, redeemed: open.deposit })
  await fixture.service.settle()
  expect(fixture.chain.redemptions).toEqual([])
  fixture.chain.channels.set(channel, { ...open, closed: true })
  await fixture.service.settle()
  fixture.chain.channels.set(channel, open)
  await fixture.service.settle()
  expect(fixture.chain.redemptions).toEqual([])
})

test('at its end, if asked, it redeems what it can', async () => {
  await fixture.restart({ redeem: { intervalMs: 3_600_000, thresholdMicros: 1_000_000n, atExit: true } })
  const { claim } = await answer()
  await payFor([claim], claim.amount)
  fixture.clock.advance(epochMs)
  await fixture.restart()
  expect(fixture.chain.redemptions.length).toBe(1)
})

test('of whose key the chain has seen more than the store: a new key signs, and the old one is not posted for', async () => {
  const { keyId } = fixture.key
  await answer()
  await fixture.service[Symbol.asyncDispose]()
  const root = { keyId, epoch: 1n, root: keyId, first: 0n, end: 5n, postedAt: 1, dueAt: 2 }
  fixture.chain.latest.batches.set('restored', root)
  await fixture.start()
  expect(fixture.service.keyId).not.toBe(keyId)
  expect((await answer()).claim).toMatchObject({ keyId: fixture.service.keyId, sequence: 0n })
  fixture.clock.advance(epochMs)
  await fixture.service.settle()
  expect(fixture.chain.posts.map((post) => post.keyId)).toEqual([fixture.service.keyId])
  const { keyId: kept } = fixture.service
  await fixture.restart()
  expect(fixture.service.keyId).toBe(kept)
})
