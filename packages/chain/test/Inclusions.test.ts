import { Inclusions, Keys, Providers, Stable, Time } from '@counterfoil/chain'
import { Batch, Claim } from '@counterfoil/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as Deployed from './Deployed.ts'

const { address, refusal, terms } = Deployed
const latest = { at: 'latest' } as const
const bond = terms.demands.bondMicros

let on: Deployed.Deployed
let signer: Deployed.Signer

beforeAll(async () => {
  on = await Deployed.start()
  signer = await Deployed.enroll(on.provider)
})

afterAll(async () => {
  await on?.stop()
})

test('a demand is answered from the batch, or fails and keeps the stake', async () => {
  const { provider, other } = on
  const epoch = Time.epochAt(provider.network, await Time.now(provider))
  const first = Deployed.receipt(provider, signer, { sequence: 0n, epoch })
  const second = Deployed.receipt(provider, signer, { sequence: 1n, epoch })
  const twin = Deployed.receipt(provider, signer, { sequence: 1n, epoch, answer: Deployed.digest('twin') })
  const contract = await Inclusions.address(other)
  expect(await Inclusions.terms(other)).toEqual({ bond, answerSeconds: 10_000, windowSeconds: 50_000 })
  await Deployed.supply(other, contract, 3n * bond)

  expect(await refusal(Inclusions.demand(other, first))).toBe('RootNotDue')
  await Deployed.pass(on, 2 * terms.epochSeconds)
  const fromBlock = await other.publicClient.getBlockNumber()
  await Inclusions.demand(other, first)
  await Inclusions.demand(other, twin)
  expect(await refusal(Inclusions.demand(other, first))).toBe('AlreadyDemanded')
  const forged = { ...second, signature: first.signature }
  expect(await refusal(Inclusions.demand(other, forged))).toBe('BadClaimSignature')

  const claimId = Claim.id(first.claim)
  const demand = await Inclusions.read(other, claimId, latest)
  expect(demand).toMatchObject({ by: address(other), state: 'open' })
  expect(await Inclusions.read(other, claimId), 'not finalized yet').toBeUndefined()
  expect(await Inclusions.standing(other, address(provider), latest)).toEqual({ open: 2, faults: 0 })
  expect(await Inclusions.standing(other, address(provider))).toEqual({ open: 0, faults: 0 })
  const toBlock = await other.publicClient.getBlockNumber()
  const made = await Inclusions.demandedOf(other, address(provider), { fromBlock, toBlock })
  expect(made).toEqual([
    { claimId, keyId: signer.keyId, sequence: 0n, epoch, answerBy: demand?.answerBy },
    expect.objectContaining({ claimId: Claim.id(twin.claim), sequence: 1n }),
  ])
  expect(await Inclusions.demandedOf(other, address(other), { fromBlock, toBlock })).toEqual([])
  expect(await Inclusions.openOf(other, address(provider))).toEqual(made)
  expect(await Inclusions.openOf(other, address(other))).toEqual([])

  expect(await refusal(Inclusions.answer(provider, first.claim, []))).toBe('OutsideBatch')
  const leaves = [claimId, Claim.id(second.claim)]
  await Deployed.post(provider, signer, epoch, 0n, leaves)
  expect(await refusal(Inclusions.answer(provider, first.claim, Batch.prove(leaves, 1)))).toBe('NotIncluded')
  expect(await Inclusions.shown(other, claimId)).toBeUndefined()
  await Inclusions.answer(other, first.claim, Batch.prove(leaves, 0))
  expect(await Inclusions.shown(other, claimId)).toEqual(Batch.prove(leaves, 0))
  expect(await Inclusions.shown(other, Claim.id(twin.claim))).toBeUndefined()
  expect(await refusal(Inclusions.answer(provider, twin.claim, Batch.prove(leaves, 1)))).toBe('NotIncluded')
  expect(await Inclusions.read(other, claimId, latest)).toMatchObject({ state: 'answered' })
  expect(await Inclusions.openOf(other, address(provider))).toEqual(made.slice(1))
  expect(await Inclusions.owed(other, address(provider), latest)).toBe(bond)

  expect(await refusal(Inclusions.fail(other, twin.claim))).toBe('StillAnswerable')
  await Providers.requestExit(provider)
  await Deployed.pass(on, terms.unbondingSeconds)
  expect(await refusal(Providers.withdraw(provider))).toBe('DemandsOpen')
  await Inclusions.fail(other, twin.claim)
  expect(await refusal(Providers.withdraw(provider))).toBe('FaultRecorded')
  await Deployed.pass(on, 1)
  expect(await Inclusions.standing(other, address(provider))).toEqual({ open: 0, faults: 1 })
  expect(await Inclusions.read(other, Claim.id(twin.claim))).toMatchObject({ state: 'failed' })

  const before = await Stable.balance(other, address(other), latest)
  await Inclusions.collect(other)
  expect(await Stable.balance(other, address(other), latest)).toBe(before + bond)
  expect(await Inclusions.owed(other, address(other), latest)).toBe(0n)
  expect(await refusal(Inclusions.collect(other))).toBe('NothingOwed')
  await Inclusions.collect(provider)
})

test('keys are listed in order; a revoked one’s claims cannot be demanded', async () => {
  const { payer, other } = on
  const first = await Deployed.enroll(payer)
  const second = await Deployed.enroll(payer)
  await Deployed.pass(on, 1)
  expect(await Keys.list(other, address(payer))).toEqual([first.keyId, second.keyId])
  expect(await Keys.list(other, address(other))).toEqual([])
  const epoch = Time.epochAt(payer.network, await Time.now(payer))
  const receipt = Deployed.receipt(payer, first, { sequence: 0n, epoch })
  await Keys.revoke(payer, first.keyId)
  await Deployed.pass(on, 2 * terms.epochSeconds)
  expect(await refusal(Inclusions.demand(other, receipt))).toBe('KeyRevoked')
  expect(await Keys.list(other, address(payer), latest)).toHaveLength(2)
})
