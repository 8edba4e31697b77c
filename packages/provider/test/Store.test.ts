import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ChainTime } from '@counterfoil/chain'
import { Batch, type Bytes, Claim } from '@counterfoil/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Params } from '../src/index.ts'
import * as Batches from '../src/store/Batches.ts'
import * as Claims from '../src/store/Claims.ts'
import * as Sequence from '../src/store/Sequence.ts'
import * as Store from '../src/store/Store.ts'
import * as WriteOff from '../src/WriteOff.ts'
import { channel, end, keyId, salts } from './Ends.ts'
import { FakeClock } from './Fakes.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'store-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

type Told = { readonly sequence: bigint; readonly epoch: bigint; readonly id: Bytes.Hex }

/** Runs a real process that writes claims and kills it when it has told `count` of them. */
async function writeAndKill(count: number, firstEpoch: bigint): Promise<readonly Told[]> {
  const script = join(import.meta.dirname, 'claimsChild.ts')
  const child = spawn(process.execPath, ['--conditions=source', script, dir, `${firstEpoch}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  let text = ''
  for await (const chunk of child.stdout) {
    text += chunk
    if (text.split('\n').length > count) child.kill('SIGKILL')
  }
  expect((await exited)[1]).toBe('SIGKILL')
  // The last line may be cut: it was not told.
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [sequence = '', epoch = '', id = ''] = line.split(' ')
      return { sequence: BigInt(sequence), epoch: BigInt(epoch), id: id as Bytes.Hex }
    })
}

describe('killed while it writes', () => {
  test('no number is used twice, nothing told is forgotten, epochs never fall, and every number has its leaf', async () => {
    const told: Told[] = []
    for (const [round, count] of [30, 1, 100, 65, 7].entries())
      told.push(...(await writeAndKill(count, BigInt(round))))
    expect(new Set(told.map((one) => one.sequence)).size).toBe(told.length)
    for (const [i, one] of told.entries()) {
      const before = told[i - 1]
      if (!before) continue
      expect(one.sequence).toBeGreaterThan(before.sequence)
      expect(one.epoch).toBeGreaterThanOrEqual(before.epoch)
    }

    const store = Store.open(dir)
    const sequence = Sequence.open(store, keyId)
    for (const { id } of told) expect(Claims.owed(store, id)?.state).toBe('unpaid')
    const next = Sequence.take(sequence, 0n)
    expect(next.sequence % BigInt(Params.sequenceBlock)).toBe(0n)
    expect(next.sequence).toBeGreaterThan(told.at(-1)?.sequence ?? 0n)

    const sealed = Batches.seal(store, keyId, 1_000_000n, sequence)
    const leaves: Bytes.Hex[] = []
    for (const batch of sealed) {
      const stored = Batches.leaves(store, keyId, batch.epoch)
      if (!stored) throw new Error('a sealed batch has no leaves')
      expect(batch.first).toBe(BigInt(leaves.length))
      expect(Batch.root(stored.leaves)).toBe(batch.root)
      leaves.push(...stored.leaves)
      expect(batch.end).toBe(BigInt(leaves.length))
    }
    for (const { sequence: number, id } of told) expect(leaves[Number(number)]).toBe(id)
    expect(leaves.filter((leaf) => leaf === Batch.unused).length).toBeGreaterThan(0)
    Store.close(store)
  })
})

describe('batches', () => {
  function open() {
    const store = Store.open(dir)
    const sequence = Sequence.open(store, keyId)
    const write = (epoch: bigint) => {
      const made = end(Sequence.take(sequence, epoch))
      Claims.insert(store, made, salts)
      return made.receipt.claim
    }
    return { store, sequence, write }
  }

  test('an open epoch is not sealed; a sealed one takes no further claim, even by a clock that runs behind', () => {
    const { store, sequence, write } = open()
    write(5n)
    expect(Batches.seal(store, keyId, 5n, sequence)).toEqual([])
    expect(Batches.seal(store, keyId, 6n, sequence)).toMatchObject([{ epoch: 5n, first: 0n, end: 1n }])
    expect(write(5n).epoch).toBe(6n)
    Store.close(store)
    const again = open()
    expect(again.write(2n).epoch).toBe(6n)
    Store.close(again.store)
  })

  test('what a restart left unused stands in the next batch as 32 zero bytes', () => {
    const first = open()
    first.write(1n)
    Store.close(first.store)
    const { store, sequence, write } = open()
    const claim = write(2n)
    const [one, two] = Batches.seal(store, keyId, 3n, sequence)
    expect([one?.end, two?.first, two?.end]).toEqual([1n, 1n, 65n])
    const { leaves } = Batches.leaves(store, keyId, 2n) ?? { leaves: [] }
    expect(leaves.slice(0, 63).every((leaf) => leaf === Batch.unused)).toBe(true)
    expect(leaves[63]).toBe(Claim.id(claim))
    Store.close(store)
  })
})

describe('claims', () => {
  test('refused ones are written off after an hour, unpaid ones after the retention window; then transcripts go', () => {
    const store = Store.open(dir)
    const sequence = Sequence.open(store, keyId)
    const made = [0, 1, 2].map(() => end(Sequence.take(sequence, 0n)))
    for (const one of made) Claims.insert(store, one, salts)
    const [a, b, c] = made.map((one) => Claim.id(one.receipt.claim)) as [Bytes.Hex, Bytes.Hex, Bytes.Hex]
    Claims.setState(store, a, 'refused', 'why')
    Claims.setState(store, b, 'paid')
    expect(Claims.exposure(store, channel)).toBe(14n)
    const seen: unknown[] = []
    const log = { info() {}, error() {}, warn: (entry: unknown) => seen.push(entry) }
    const clock = new FakeClock()
    const time = { earlierMs: () => clock.now() }
    const endedMs = made[0]?.receipt.claim.time.ended ?? 0
    const sweepAt = (seconds: number) => {
      clock.ms = endedMs + seconds * 1000
      WriteOff.sweep({ store, time, log })
    }
    sweepAt(Params.refusedWriteOffSeconds)
    expect(seen).toEqual([])
    sweepAt(Params.refusedWriteOffSeconds + 0.001)
    expect(Claims.exposure(store, channel)).toBe(7n)
    expect(seen).toEqual([{ event: 'written-off', why: 'refused', channel, claims: 1, amount: '7' }])
    expect(Claims.prune(store, 3)).toBe(0)
    expect(Claims.prune(store, 4)).toBe(2)
    expect(Claims.unpaid(store, channel, 10).map((one) => Claim.id(one.receipt.claim))).toEqual([c])
    const dropped = made[0]?.receipt.claim.request ?? keyId
    expect(Claims.ofRequest(store, channel, dropped)).toEqual({ claimId: a, state: 'written-off' })
    sweepAt(Params.retentionSeconds + 1)
    expect(Claims.exposure(store, channel)).toBe(0n)
    expect(seen.slice(1)).toEqual([{ event: 'written-off', why: 'unpaid', channel, claims: 1, amount: '7' }])
    expect([a, b, c].map((id) => Claims.owed(store, id)?.state)).toEqual([
      'written-off',
      'paid',
      'written-off',
    ])
    Store.close(store)
  })

  test.each([
    ['the chain tells a time to come', 0, 32],
    ['this machine’s clock is ahead', 32, 0],
  ])('while %s nothing is given up or dropped', async (_, ownDays, chainDays) => {
    const store = Store.open(dir)
    const sequence = Sequence.open(store, keyId)
    const [unpaid, paid] = [0, 1].map(() => end(Sequence.take(sequence, 0n)))
    if (!unpaid || !paid) throw new Error('no claims')
    for (const one of [unpaid, paid]) Claims.insert(store, one, salts)
    Claims.setState(store, Claim.id(paid.receipt.claim), 'paid')
    const log = { info() {}, error() {}, warn() {} }
    const at = (days: number) => unpaid.receipt.claim.time.ended + days * 86_400_000
    const time = ChainTime.create({
      read: async () => Math.ceil(at(chainDays) / 1000),
      clock: { now: () => at(ownDays), monotonicMs: () => 0 },
      onApart() {},
    })
    await time.refresh()
    const kept = () => Claims.ofRequest(store, channel, paid.receipt.claim.request)
    const before = kept()
    expect(before).toHaveProperty('end')
    WriteOff.sweep({ store, time, log })
    WriteOff.prune({ store, time })
    expect(Claims.exposure(store, channel)).toBe(7n)
    expect(kept()).toEqual(before)
    Store.close(store)
  })

  test('claims of one moment are one commit; one that cannot be stored takes no other along; a seal waits for none', async () => {
    const store = Store.open(dir)
    const sequence = Sequence.open(store, keyId)
    const ends = [0, 1, 2].map(() => end(Sequence.take(sequence, 0n)))
    const [first] = ends
    const twice = end(Sequence.take(sequence, 0n), { request: first?.receipt.claim.request ?? keyId })
    const results = Promise.allSettled([...ends, twice].map((one) => Claims.insertSoon(store, one, salts)))
    expect(Claims.exposure(store, channel)).toBe(0n)
    expect(Batches.seal(store, keyId, 1n, sequence)).toMatchObject([{ first: 0n, end: 3n }])
    expect((await results).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
    ])
    Store.close(store)
  })

  test('what each job and each start asks reads no row that it does not need, however many there are', () => {
    const store = Store.open(dir)
    Claims.exposure(store, channel)
    Claims.unpaid(store, channel, 1)
    Batches.seal(store, keyId, 1n)
    // A plan is of a statement as it was prepared, so these are the very texts that ran.
    const plans = new Map(
      [...store.statements.keys()].map((text) => [
        text,
        store.db
          .prepare(`EXPLAIN QUERY PLAN ${text}`)
          .all(...Array.from({ length: text.split('?').length - 1 }, () => null))
          .map(({ detail }) => String(detail))
          .join('; '),
      ]),
    )
    const planOf = (part: string) => [...plans].find(([text]) => text.includes(part))?.[1]
    expect(planOf('sum(amount)')).toContain('COVERING INDEX claims_owed')
    expect(planOf('max(sequence) + 1')).toContain('COVERING INDEX claims_epoch')
    expect(planOf('ORDER BY rowid LIMIT')).toContain('INDEX claims_unpaid')
    expect(planOf('ORDER BY rowid LIMIT')).not.toContain('TEMP B-TREE')
    Store.close(store)
  })

  test('one request on one channel has one claim', () => {
    const store = Store.open(dir)
    const first = end({ sequence: 0n, epoch: 0n })
    Claims.insert(store, first, salts)
    const { request } = first.receipt.claim
    expect(() => Claims.insert(store, end({ sequence: 1n, epoch: 0n }, { request }), salts)).toThrow(/UNIQUE/)
    Store.close(store)
  })
})

describe('the file', () => {
  test('is its owner’s alone, durable, and open in one process at a time', () => {
    const store = Store.open(dir)
    expect(statSync(join(dir, 'provider.sqlite')).mode & 0o777).toBe(0o600)
    expect(Store.sql(store, 'PRAGMA synchronous').get()?.synchronous).toBe(2n)
    expect(Store.sql(store, 'PRAGMA journal_mode').get()?.journal_mode).toBe('wal')
    expect(() => Store.open(dir)).toThrow(Store.InUseError)
    Store.close(store)
    Store.close(Store.open(dir))
  })

  test('of a later version is refused', () => {
    Store.close(Store.open(dir))
    const db = new DatabaseSync(join(dir, 'provider.sqlite'))
    db.exec('PRAGMA user_version = 99')
    db.close()
    expect(() => Store.open(dir)).toThrow(Store.NewerError)
  })
})
