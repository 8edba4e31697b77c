import { Claim } from '@counterfoil/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Fixture } from './Fixture.ts'

// Demands for inclusion over a chain in memory; packages/chain proves answers against the contract.

let fixture: Fixture
beforeEach(async () => {
  fixture = await new Fixture().start()
})
afterEach(() => fixture[Symbol.asyncDispose]())

async function answered(): Promise<Claim.Claim> {
  fixture.forgetToken()
  const { end } = await fixture.ask(await fixture.jobPost())
  if (!end) throw new Error('no end')
  return end.receipt.claim
}

function demand(claim: Claim.Claim): void {
  const { keyId, sequence, epoch } = claim
  const answerBy = Math.floor(fixture.clock.ms / 1000) + 60
  fixture.chain.demanded.push({ claimId: Claim.id(claim), keyId, sequence, epoch, answerBy })
}

test('every claim of a posted batch is shown when it is demanded', async () => {
  const claims = [await answered(), await answered(), await answered()]
  fixture.clock.advance(5000)
  for (const claim of claims) demand(claim)
  await fixture.service.settle()
  expect(fixture.chain.posts).toHaveLength(1)
  expect(fixture.chain.demanded).toEqual([])
})

test('a claim of an epoch that is still open waits for its root', async () => {
  const claim = await answered()
  demand(claim)
  await fixture.service.settle()
  expect(fixture.chain.demanded).toHaveLength(1)
  fixture.clock.advance(5000)
  await fixture.service.settle()
  expect(fixture.chain.demanded).toEqual([])
})

test('a claim that this store never made holds up no other', async () => {
  const claim = await answered()
  fixture.clock.advance(5000)
  const twin = { ...claim, amount: claim.amount + 1n }
  demand(twin)
  demand(claim)
  await fixture.service.settle()
  expect(fixture.chain.demanded.map(({ claimId }) => claimId)).toEqual([Claim.id(twin)])
})
