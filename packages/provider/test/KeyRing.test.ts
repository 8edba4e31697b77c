import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ProviderHttp } from '@counterfoil/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Params } from '../src/index.ts'
import { Fixture } from './Fixture.ts'

// Which receipt key signs: over its end, its revocation, and stores that are not what they were.

let fixture: Fixture
let spare: string
beforeEach(async () => {
  spare = mkdtempSync(join(tmpdir(), 'spare-'))
  fixture = await new Fixture().start()
})
afterEach(async () => {
  await fixture[Symbol.asyncDispose]()
  rmSync(spare, { recursive: true })
})

async function claim() {
  fixture.forgetToken()
  const { end } = await fixture.ask(await fixture.jobPost())
  return (end ?? expect.fail('no end')).receipt.claim
}
const second = () => Math.floor(fixture.clock.ms / 1000)
const file = (dir: string) => join(dir, 'provider.sqlite')

test('well before its end a key is replaced; jobs under the old offer are still signed with the old key', async () => {
  const old = fixture.key.keyId
  const post = await fixture.jobPost()
  fixture.chain.keys.set(old, second() + Params.keyRenewSeconds + 10)
  await fixture.service.renew()
  expect(fixture.service.keyId).toBe(old)
  fixture.chain.keys.set(old, second() + Params.keyRenewSeconds - 10)
  await fixture.service.renew()
  const next = fixture.service.keyId
  expect(next).not.toBe(old)
  expect(fixture.chain.keys.get(next)).toBe(second() + Params.keyValiditySeconds)
  expect((await fixture.offer()).offer.keyId).toBe(next)
  expect((await fixture.ask(post)).end?.receipt.claim).toMatchObject({ keyId: old, sequence: 0n })
  expect(await claim()).toMatchObject({ keyId: next, sequence: 0n })
  await fixture.service.renew()
  expect(fixture.service.keyId).toBe(next)
  await fixture.restart()
  expect(fixture.service.keyId).toBe(next)
  expect((await claim()).sequence).toBe(BigInt(Params.sequenceBlock))
})

test('a key that is made where a passphrase is given lies encrypted, and signs on after a restart with it only', async () => {
  await fixture.restart({ passphrase: 'open sesame' })
  fixture.chain.keys.set(fixture.key.keyId, second() + Params.keyRenewSeconds - 10)
  await fixture.service.renew()
  const next = fixture.service.keyId
  expect(next).not.toBe(fixture.key.keyId)
  const path = join(fixture.dir, 'receipt-keys', `${next}.pem`)
  const text = readFileSync(path, 'utf8')
  expect(text).not.toContain('PRIVATE KEY')
  expect(JSON.parse(text)).toMatchObject({ crypto: { kdf: { function: 'scrypt' } }, version: 4 })
  expect(statSync(path).mode & 0o077).toBe(0)
  await fixture.restart({ passphrase: 'open sesame' })
  expect(await claim()).toMatchObject({ keyId: next })
  await expect(fixture.restart({ passphrase: 'open barley' })).rejects.toThrow(/passphrase/)
  await expect(fixture.start()).rejects.toThrow(/passphrase/)
  await fixture.start({ passphrase: 'open sesame' })
  expect(fixture.service.keyId).toBe(next)
})

test('a revoked key is replaced; while the chain is away it goes on, and past its end nothing is offered', async () => {
  const old = fixture.key.keyId
  fixture.chain.keys.set(old, second() + 100)
  fixture.chain.away = true
  await expect(fixture.service.renew()).rejects.toThrow()
  fixture.chain.away = false
  await fixture.restart()
  expect((await fixture.offer()).offer.validity.notAfter).toBe(second() + 100)
  const late = await fixture.jobPost()
  fixture.clock.advance(100_000)
  const offers = await (await fixture.call(ProviderHttp.paths.offers)).json()
  expect(offers).toEqual({ offers: [] })
  await expect(fixture.ask(late)).rejects.toMatchObject({ refusal: { code: 'unavailable' } })
  fixture.chain.revoked.add(old)
  await fixture.service.renew()
  await expect(fixture.ask(late)).rejects.toMatchObject({ refusal: { code: 'offer_expired' } })
  await fixture.service.renew()
  expect((await claim()).keyId).toBe(fixture.service.keyId)
  expect(fixture.service.keyId).not.toBe(old)
})

test('a key that was revoked while the daemon was away is replaced at its start', async () => {
  const old = fixture.key.keyId
  await fixture.service[Symbol.asyncDispose]()
  fixture.chain.revoked.add(old)
  await fixture.start()
  expect((await claim()).keyId).toBe(fixture.service.keyId)
  expect(fixture.service.keyId).not.toBe(old)
})

test('a chain that was set back and lacks the key is no revocation', async () => {
  fixture.chain.keys.delete(fixture.key.keyId)
  await fixture.service.renew()
  expect((await claim()).keyId).toBe(fixture.key.keyId)
})

test('a store that was put back in place does not use its numbers again', async () => {
  await fixture.service[Symbol.asyncDispose]()
  cpSync(file(fixture.dir), file(spare))
  await fixture.start()
  const used = await claim()
  await fixture.service[Symbol.asyncDispose]()
  cpSync(file(spare), file(fixture.dir))
  await fixture.start()
  const next = await claim()
  expect(next.keyId).not.toBe(used.keyId)
  await fixture.restart()
  expect((await claim()).keyId).toBe(next.keyId)
})

test('a copy of a whole folder is another store, and takes another key', async () => {
  await claim()
  await fixture.service[Symbol.asyncDispose]()
  cpSync(fixture.dir, spare, { recursive: true })
  rmSync(fixture.dir, { recursive: true })
  cpSync(spare, fixture.dir, { recursive: true })
  expect(existsSync(join(fixture.dir, 'store.mark'))).toBe(true)
  await fixture.start()
  expect(fixture.service.keyId).not.toBe(fixture.key.keyId)
})

test('a store whose file was lost beside its mark does not begin at number 0 again', async () => {
  await claim()
  await fixture.service[Symbol.asyncDispose]()
  rmSync(file(fixture.dir))
  await fixture.start()
  expect((await claim()).keyId).not.toBe(fixture.key.keyId)
})

test('of a restored store what it knows is still posted', async () => {
  const known = await claim()
  await fixture.service[Symbol.asyncDispose]()
  rmSync(join(fixture.dir, 'store.mark'))
  await fixture.start()
  await claim()
  fixture.clock.advance(5_000)
  await fixture.service.settle()
  expect(new Set(fixture.chain.posts.map(({ keyId }) => keyId))).toEqual(
    new Set([known.keyId, fixture.service.keyId]),
  )
})
