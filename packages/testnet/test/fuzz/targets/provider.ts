import { type Bytes, Claim, Decode, Network, ProviderHttp, Runtime, Voucher } from '@counterfoil/protocol'
import fc from 'fast-check'
import * as Fixture from '../../../../provider/test/Fixture.ts'
import * as Http from '../Http.ts'
import * as Json from '../Json.ts'
import * as Requests from '../Requests.ts'
import { BrokenError, type Case, cases, type Target, type Trial } from '../Target.ts'

// The provider's door over its real store and codecs; engine, chain and clock are fakes.

const digest: Bytes.Hex = `0x${'ab'.repeat(32)}`

async function open(): Promise<Trial> {
  const fixture = new Fixture.Fixture()
  // The fixture's own payer keeps its token; any other asks for a new one each time, and a channel has a few only.
  const { payer } = fixture
  const channel = fixture.chain.channels.get(payer.channel)
  if (channel) fixture.chain.channels.set(payer.channel, { ...channel, deposit: 10n ** 15n })
  await fixture.start({ creditJobs: 1_000_000 })
  const token = await fixture.token(payer)
  const { url } = fixture.service
  const { paths } = ProviderHttp
  const post = await fixture.jobPost({ logprobs: true, topLogprobs: 1 }, payer)
  const voucherOf = (voucher: Omit<Voucher.Voucher, 'channel'>) => ({
    voucher: fixture.sign(voucher, payer),
    ...{ accepts: [digest], refuses: [{ claimId: digest, reason: 'charge-mismatch' }] },
  })
  const voucher = ProviderHttp.voucherPostToJson(
    voucherOf({ model: Fixture.modelId, cumulative: 1n, epoch: 1n }),
  )
  const access = fixture.signAccess(await fixture.challenge(), payer)
  const ways: readonly Requests.Way[] = [
    ...[1, 2, 3].map(() => ({ method: 'POST', path: paths.jobs, body: post })),
    { method: 'POST', path: paths.vouchers, body: voucher },
    { method: 'POST', path: paths.access, body: access },
    { method: 'DELETE', path: paths.job(digest) },
    ...[
      ...[paths.offers, paths.challenge, paths.manifest(Fixture.modelId), paths.manifest(digest), '/healthz'],
      ...[
        paths.runtime(Runtime.id(fixture.engine.runtime)),
        paths.runtime(digest),
        paths.channel(payer.channel),
      ],
      ...[paths.channel(digest), paths.batch(fixture.key.keyId, 0n), paths.batch(digest, 2n ** 63n)],
      ...[`${paths.unpaid(payer.channel)}?key=${fixture.key.keyId}&after=999999999999999999`, '/v1/nothing'],
    ].map((path) => ({ method: 'GET', path })),
  ]
  const headers = [
    ['authorization', `Bearer ${token}`],
    ['content-type', 'application/json'],
  ] as const
  let answered = 0

  async function ask(request: Http.Request) {
    const answer = await Http.send(url, Http.encode(request), true)
    const outcome = Http.judge(answer, request.method)
    if (answer?.headers.has('x-receipt-id')) answered += 1
    return outcome
  }

  /** Vouchers that were tampered with and signed again by the channel's own key. */
  const signed: fc.Arbitrary<Case> = cases(Json.mutated([voucher]), async (json) => {
    let body: unknown = json
    try {
      const read = ProviderHttp.readVoucherPost(json, '$')
      const own = Voucher.sign(read.voucher.voucher, Network.eip712(Fixture.network), payer.key)
      body = ProviderHttp.voucherPostToJson({ ...read, voucher: own })
    } catch (error) {
      if (!(error instanceof Decode.DecodeError)) throw error
    }
    const text = new Uint8Array(Buffer.from(Json.stringify(body)))
    return ask({ method: 'POST', path: paths.vouchers, headers, body: text })
  })
  const inputs = fc.oneof(
    { arbitrary: cases(Requests.changed(ways, headers), ask), weight: 12 },
    { arbitrary: signed, weight: 2 },
    {
      arbitrary: cases(Requests.tampered(ways, headers), async (bytes) => {
        const answer = await Http.send(url, bytes, false)
        answered += 1
        return Http.judgeRaw(answer)
      }),
      weight: 1,
    },
  )
  let paid = 0n
  return {
    cases: inputs.map((one) => ({ ...one, shown: Http.shown(one.shown) })),
    async settle() {
      const good = await fixture.ask({ ...post, nonce: Fixture.newNonce() }, payer)
      if (!good.end) throw new BrokenError('a good job is not answered afterwards')
      answered += 1
      const before = await fixture.state(payer)
      if (before.paid !== paid) throw new BrokenError(`${before.paid} are paid, ${paid} were`)
      paid += await pay()
      const after = await fixture.state(payer)
      if (after.paid !== paid || after.exposure !== 0n)
        throw new BrokenError(`${after.paid} are paid of ${paid}, ${after.exposure} are exposed`)
    },
    close: () => fixture[Symbol.asyncDispose](),
  }

  /** Pays what is owed, page after page; every claim stands for an answer that was asked for. */
  async function pay(): Promise<bigint> {
    let sum = 0n
    for (;;) {
      const response = await fixture.call(paths.unpaid(payer.channel), {
        headers: { authorization: `Bearer ${token}` },
      })
      if (!response.ok) throw new BrokenError(`what is owed is not told: ${await response.text()}`)
      const { claims } = ProviderHttp.readUnpaid(await response.json(), '$')
      if (claims.length === 0) return sum
      answered -= claims.length
      if (answered < 0) throw new BrokenError('there are more claims than answers')
      const state = await fixture.state(payer)
      const line = state.vouchers.find((one) => one.voucher.model === Fixture.modelId)?.voucher
      const amount = claims.reduce((total, { receipt }) => total + receipt.claim.amount, 0n)
      const epochs = [line?.epoch ?? 0n, ...claims.map(({ receipt }) => receipt.claim.epoch)]
      const paying = await fixture.pay(
        {
          voucher: fixture.sign(
            {
              model: Fixture.modelId,
              cumulative: (line?.cumulative ?? 0n) + amount,
              epoch: epochs.reduce((highest, one) => (one > highest ? one : highest)),
            },
            payer,
          ),
          accepts: claims.map(({ receipt }) => Claim.id(receipt.claim)),
          refuses: [],
        },
        payer,
      )
      if (!paying.ok) throw new BrokenError(`a good voucher is refused: ${await paying.text()}`)
      await paying.text()
      sum += amount
    }
  }
}

export const provider: readonly Target[] = [{ name: 'provider', weight: 15, open }]
