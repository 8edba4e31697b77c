import { type Bytes, Claim, Network, type ProviderHttp, Voucher } from '@counterfoil/protocol'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Owed } from '../src/store/Claims.ts'
import * as VoucherRules from '../src/VoucherRules.ts'
import { eventsOf, Fixture, modelId, network, refusalOf, streamed } from './Fixture.ts'

const channel: Bytes.Hex = `0x${'c0'.repeat(32)}`
const id = (n: number): Bytes.Hex => `0x${n.toString(16).padStart(64, '0')}`

/**
 * The rules against a model: a payer makes every kind of voucher, right and wrong, in any order; a claim is paid once, the
 * line is always the sum of the claims paid on it, and exactly the right vouchers pay.
 */
describe('rules', () => {
  type Command =
    | { readonly kind: 'claim'; readonly amount: bigint; readonly epochs: bigint }
    | {
        readonly kind: 'voucher'
        readonly pick: readonly boolean[]
        readonly off: bigint
        readonly epochOff: bigint
        readonly again: boolean
      }
  const small = fc.bigInt({ min: 0n, max: 5n })
  const command: fc.Arbitrary<Command> = fc.oneof(
    fc.record({
      kind: fc.constant('claim' as const),
      amount: small,
      epochs: fc.bigInt({ min: 0n, max: 2n }),
    }),
    fc.record({
      kind: fc.constant('voucher' as const),
      pick: fc.array(fc.boolean(), { maxLength: 12 }),
      off: fc.oneof(
        { arbitrary: fc.constant(0n), weight: 3 },
        { arbitrary: fc.bigInt({ min: -3n, max: 3n }), weight: 1 },
      ),
      epochOff: fc.oneof(
        { arbitrary: fc.constant(0n), weight: 4 },
        { arbitrary: fc.constantFrom(-1n, 1n), weight: 1 },
      ),
      again: fc.boolean(),
    }),
  )

  test('the line is always the sum of the claims paid on it, each once', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const claims = new Map<Bytes.Hex, Owed>()
        let standing: Voucher.Voucher | undefined
        let epoch = 0n
        for (const one of commands) {
          if (one.kind === 'claim') {
            epoch += one.epochs
            const claimId = id(claims.size + 1)
            claims.set(claimId, {
              claimId,
              channel,
              model: modelId,
              amount: one.amount,
              epoch,
              state: 'unpaid',
            })
            continue
          }
          // `again` lets the payer list paid claims too, as a confused one would.
          const listed = [...claims.values()].filter(
            (claim, i) => one.pick[i] && (one.again || claim.state !== 'paid'),
          )
          const base = standing ?? { cumulative: 0n, epoch: 0n }
          const sum = listed.reduce((total, claim) => total + claim.amount, 0n)
          const highest = [base.epoch, ...listed.map((claim) => claim.epoch)].reduce((a, b) =>
            b > a ? b : a,
          )
          const cumulative = base.cumulative + sum + one.off
          const voucher = { channel, model: modelId, cumulative, epoch: highest + one.epochOff }
          if (cumulative < 0n || voucher.epoch < 0n) continue
          const post: ProviderHttp.VoucherPost = {
            voucher: { voucher, signature: '0x' },
            accepts: listed.map((claim) => claim.claimId),
            refuses: [],
          }
          const { kind } = VoucherRules.judge(standing, post, (claimId) => claims.get(claimId))
          const fresh = listed.every((claim) => claim.state !== 'paid')
          const right = one.off === 0n && one.epochOff === 0n && fresh && listed.length > 0
          expect(kind === 'pay').toBe(right)
          expect(kind === 'stands').toBe(
            cumulative < base.cumulative ||
              (cumulative === base.cumulative && listed.every((claim) => claim.state === 'paid')),
          )
          if (kind !== 'pay') continue
          standing = voucher
          for (const claim of listed) claims.set(claim.claimId, { ...claim, state: 'paid' })
          const paid = [...claims.values()].filter((claim) => claim.state === 'paid')
          expect(standing.cumulative).toBe(paid.reduce((total, claim) => total + claim.amount, 0n))
          expect(paid.every((claim) => claim.epoch <= voucher.epoch)).toBe(true)
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('a claim listed twice, of another line or channel, or both accepted and refused, is not paid', () => {
    const claim: Owed = { claimId: id(1), channel, model: modelId, amount: 5n, epoch: 3n, state: 'unpaid' }
    const voucher = { channel, model: modelId, cumulative: 5n, epoch: 3n }
    const judge = (
      claims: readonly Owed[],
      accepts: readonly Bytes.Hex[],
      refuses: readonly Bytes.Hex[] = [],
    ) =>
      VoucherRules.judge(
        undefined,
        {
          voucher: { voucher, signature: '0x' },
          accepts,
          refuses: refuses.map((claimId) => ({ claimId, reason: '' })),
        },
        (claimId) => claims.find((one) => one.claimId === claimId),
      ).kind
    expect(judge([claim], [id(1)])).toBe('pay')
    expect(judge([{ ...claim, amount: 2n }], [id(1), id(1)])).toBe('refuse')
    expect(judge([{ ...claim, model: id(9) }], [id(1)])).toBe('refuse')
    expect(judge([{ ...claim, channel: id(9) }], [id(1)])).toBe('refuse')
    expect(judge([claim], [id(1)], [id(1)])).toBe('refuse')
    expect(judge([claim], [id(2)])).toBe('refuse')
  })
})

describe('over HTTP', () => {
  let fixture: Fixture
  beforeEach(async () => {
    fixture = await new Fixture().start()
  })
  afterEach(() => fixture[Symbol.asyncDispose]())

  async function answer(): Promise<Claim.Claim> {
    const { end } = await fixture.ask(await fixture.jobPost())
    if (!end) throw new Error('no end')
    return end.receipt.claim
  }
  const payFor = (claims: readonly Claim.Claim[], cumulative: bigint, epoch: bigint) =>
    fixture.pay({
      voucher: fixture.sign({ model: modelId, cumulative, epoch }),
      accepts: claims.map(Claim.id),
      refuses: [],
    })

  test('one voucher pays several claims; it stands after a restart, and the answer is the channel as it is', async () => {
    const claims = [await answer(), await answer()]
    const due = claims.reduce((sum, claim) => sum + claim.amount, 0n)
    const response = await payFor(claims, due, claims[1]?.epoch ?? 0n)
    expect(response.status).toBe(200)
    const before = await fixture.state()
    expect(before).toMatchObject({ paid: due, exposure: 0n, deposit: 1_000_000n })
    expect(before.vouchers.map((one) => one.voucher.cumulative)).toEqual([due])
    await fixture.restart()
    expect(await fixture.state()).toEqual(before)
  })

  test('a late, lower voucher and a repeated one change nothing and are no error', async () => {
    const [first, second] = [await answer(), await answer()]
    await payFor([first], first.amount, first.epoch)
    await payFor([second], first.amount + second.amount, second.epoch)
    const state = await fixture.state()
    expect((await payFor([first], first.amount, first.epoch)).status).toBe(200)
    expect((await payFor([second], first.amount + second.amount, second.epoch)).status).toBe(200)
    expect(await fixture.state()).toEqual(state)
  })

  const wrong: readonly [string, bigint, bigint][] = [
    ['too much', 1n, 0n],
    ['too little', -1n, 0n],
    ['a later epoch', 0n, 1n],
  ]
  test.each(wrong)('%s is refused and leaves all as it was', async (_, more, epochs) => {
    const claim = await answer()
    const state = await fixture.state()
    const response = await payFor([claim], claim.amount + more, claim.epoch + epochs)
    expect([response.status, (await refusalOf(response)).code]).toEqual([409, 'voucher_refused'])
    expect(await fixture.state()).toEqual(state)
  })

  test('a foreign signature, a foreign line and a foreign channel are refused', async () => {
    const claim = await answer()
    const thief = fixture.openChannel(1n)
    const forged = Voucher.sign(
      { channel: fixture.payer.channel, model: modelId, cumulative: claim.amount, epoch: claim.epoch },
      Network.eip712(network),
      thief.key,
    )
    const pay = async (voucher: Voucher.SignedVoucher) =>
      (await refusalOf(await fixture.pay({ voucher, accepts: [Claim.id(claim)], refuses: [] }))).code
    expect(await pay(forged)).toBe('voucher_invalid')
    expect(await pay(fixture.sign({ model: id(5), cumulative: claim.amount, epoch: claim.epoch }))).toBe(
      'voucher_refused',
    )
    const elsewhere = fixture.sign({ model: modelId, cumulative: claim.amount, epoch: claim.epoch }, thief)
    expect(await pay(elsewhere)).toBe('access_denied')
  })

  test('a refused claim counts against the credit until it is written off, or paid after all', async () => {
    const [bad, good] = [await answer(), await answer()]
    const voucher = fixture.sign({ model: modelId, cumulative: good.amount, epoch: good.epoch })
    const refuses = [{ claimId: Claim.id(bad), reason: 'trace-mismatch' }]
    await fixture.pay({ voucher, accepts: [Claim.id(good)], refuses })
    expect(await fixture.state()).toMatchObject({ paid: good.amount, exposure: bad.amount })
    await payFor([bad], good.amount + bad.amount, good.epoch)
    expect(await fixture.state()).toMatchObject({ paid: good.amount + bad.amount, exposure: 0n })
  })

  test('the standing voucher moves to later epochs, and is the one shown', async () => {
    const first = await answer()
    await payFor([first], first.amount, first.epoch)
    fixture.clock.advance(20_000)
    const second = await answer()
    expect(second.epoch).toBe(first.epoch + 4n)
    await payFor([second], first.amount + second.amount, second.epoch)
    const { vouchers } = await fixture.state()
    expect(vouchers.map(({ voucher }) => voucher)).toEqual([
      {
        channel: fixture.payer.channel,
        model: modelId,
        cumulative: first.amount + second.amount,
        epoch: second.epoch,
      },
    ])
  })

  test('what was paid leaves the deposit: work stops before the deposit ends', async () => {
    const payer = fixture.openChannel(20n)
    const claims: Claim.Claim[] = []
    let cumulative = 0n
    let refused: Response | undefined
    while (!refused && claims.length < 20) {
      const response = await fixture.postJob(await fixture.jobPost({ maxTokens: 20 }, payer), payer)
      if (response.status !== 200) {
        refused = response
        break
      }
      const { end } = streamed(await eventsOf(response))
      if (!end) throw new Error('no end')
      const { claim } = end.receipt
      claims.push(claim)
      cumulative += claim.amount
      const voucher = fixture.sign({ model: modelId, cumulative, epoch: claim.epoch }, payer)
      await fixture.pay({ voucher, accepts: [Claim.id(claim)], refuses: [] }, payer)
    }
    if (!refused) throw new Error('never refused')
    expect((await refusalOf(refused)).code).toBe('deposit_exceeded')
    // The worst case of this job is 6 x 0.1 + 20 x 0.4, rounded up.
    expect(cumulative + 9n).toBeGreaterThan(20n)
    expect(cumulative).toBeLessThanOrEqual(20n)
  })

  test('credit grows to a tenth of what was paid', async () => {
    const rich = (await fixture.state()).credit
    await fixture.restart({ creditJobs: 1, prices: { prompt: 0n, cached: 0n, output: 400_000_000n } })
    const claims: Claim.Claim[] = []
    let cumulative = 0n
    for (let i = 0; i < 12; i++) {
      const claim = await answer()
      claims.push(claim)
      cumulative += claim.amount
      expect((await payFor([claim], cumulative, claim.epoch)).status).toBe(200)
    }
    const state = await fixture.state()
    // Worst case: 256 tokens at 400 micro-units.
    expect(state.credit).toBe(102_400n)
    await fixture.restart({ creditJobs: 1 })
    expect(await fixture.state()).toMatchObject({ paid: cumulative, credit: cumulative / 10n })
    expect(cumulative / 10n).toBeGreaterThan(rich)
  })

  test('a higher voucher for claims that we lost stands once our root for its epoch is on chain', async () => {
    const epoch = 99n
    const lost = fixture.sign({ model: modelId, cumulative: 500n, epoch })
    const show = () => fixture.pay({ voucher: lost, accepts: [], refuses: [] })
    expect((await refusalOf(await show())).code).toBe('voucher_refused')
    const root = { keyId: id(1), epoch, root: id(2), first: 0n, end: 1n, postedAt: 1, dueAt: 2 }
    fixture.chain.latest.batches.set('elsewhere', root)
    expect((await show()).status).toBe(200)
    expect((await fixture.state()).paid).toBe(500n)
    fixture.chain.away = true
    const higher = fixture.sign({ model: modelId, cumulative: 600n, epoch })
    const response = await fixture.pay({ voucher: higher, accepts: [], refuses: [] })
    expect((await refusalOf(response)).code).toBe('unavailable')
    fixture.chain.away = false
  })
})
