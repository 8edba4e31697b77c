import { describe, expect, it } from 'vitest'
import { Access, Offer, ProviderHttp, Receipt, Refusal, Trace, Voucher } from '../src/index.ts'
import * as Example from './Example.ts'

const wire = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const { receipt, output, trace, job, nonce, channel, signedOffer } = Example
const end: ProviderHttp.End = { receipt, output, trace }
const voucher = Voucher.sign(
  { channel, model: Example.model, cumulative: 2n ** 100n, epoch: 7n },
  Example.eip712,
  Example.payerSecret,
)
const signedAccess = Access.sign(
  { channel, payee: Example.provider, challenge: nonce, expires: Example.day },
  Example.eip712,
  Example.payerSecret,
)
const stateOf = (change: Readonly<Record<string, string>>) => ({
  ...{ channel, deposit: '0', paid: '0', exposure: '0', credit: '0', vouchers: [] },
  ...change,
})
const logprob = { token: 'a', bytes: '0x61', logprob: -1, top: [] } as const

describe('ProviderHttp', () => {
  it('has its paths below the endpoint', () => {
    const { paths } = ProviderHttp
    expect([
      paths.offers,
      paths.manifest('0xaa'),
      paths.runtime('0xbb'),
      paths.batch('0xcc', 7n),
      paths.challenge,
      paths.access,
      paths.jobs,
      paths.job('0xdd'),
      paths.vouchers,
      paths.channel('0xee'),
      paths.unpaid('0xff'),
    ]).toEqual([
      '/v1/offers',
      '/v1/manifests/0xaa',
      '/v1/runtimes/0xbb',
      '/v1/batches/0xcc/7',
      '/v1/access/challenge',
      '/v1/access',
      '/v1/jobs',
      '/v1/jobs/0xdd',
      '/v1/vouchers',
      '/v1/channels/0xee',
      '/v1/channels/0xff/unpaid',
    ])
  })

  it('reads what the nouns write', () => {
    const read = ProviderHttp
    expect(read.readOffers(wire({ offers: [Offer.toJson(signedOffer)] }), '$')).toEqual({
      offers: [signedOffer],
    })
    expect(read.readManifest(wire(Example.manifest), '$')).toEqual(Example.manifest)
    expect(read.readRuntime(wire(Example.runtime), '$')).toEqual(Example.runtime)
    expect(read.readAccess(wire(signedAccess), '$')).toEqual(signedAccess)
    expect(read.readJobPost(wire({ channel, offer: nonce, job, nonce }), '$')).toEqual({
      channel,
      offer: nonce,
      job,
      nonce,
    })
    expect(read.readBatch({ first: '3', leaves: Example.leaves }, '$')).toEqual({
      first: 3n,
      leaves: Example.leaves,
    })
    expect(read.readChallenge({ challenge: nonce }, '$')).toEqual({ challenge: nonce })
    expect(read.readToken({ token: 't', expires: 1 }, '$')).toEqual({ token: 't', expires: 1 })
    expect(read.readUnpaid(wire({ claims: [read.endToJson(end)] }), '$')).toEqual({ claims: [end] })
  })

  it('carries vouchers with what they accept and refuse', () => {
    const post = { voucher, accepts: [nonce], refuses: [{ claimId: nonce, reason: 'charge-mismatch' }] }
    expect(ProviderHttp.readVoucherPost(wire(ProviderHttp.voucherPostToJson(post)), '$')).toEqual(post)
  })

  it("carries a channel's state in whole micro-units", () => {
    const state = {
      channel,
      deposit: 2n ** 128n - 1n,
      paid: 1n,
      exposure: 2n,
      credit: 3n,
      vouchers: [voucher],
    }
    expect(ProviderHttp.readChannelState(wire(ProviderHttp.channelStateToJson(state)), '$')).toEqual(state)
  })

  it('reads the three events of a stream and no other', () => {
    const read = (event: string, data: unknown) => ProviderHttp.readEvent(event, wire(data))
    expect(read('delta', { content: 'a' })).toEqual({ event: 'delta', data: { content: 'a' } })
    expect(read('delta', { content: 'a', logprobs: [logprob] })).toEqual({
      event: 'delta',
      data: { content: 'a', logprobs: [logprob] },
    })
    expect(read('end', ProviderHttp.endToJson(end))).toEqual({ event: 'end', data: end })
    const refusal = Refusal.of('queue_full', 'The queue is full.', 'model')
    expect(read('error', Refusal.toOpenAi(refusal))).toEqual({ event: 'error', data: refusal })
    expect(() => read('ping', {})).toThrow('$ must be event delta, end or error; got "ping"')
  })

  it('takes a refusal with a code it does not know as the provider failing', () => {
    const body = { error: { message: 'Tea.', type: 'x', param: null, code: 'teapot' } }
    expect(ProviderHttp.readRefusal(body, '$')).toEqual({
      code: 'provider_failed',
      message: 'Tea.',
      param: null,
    })
  })

  it.each([
    [
      'a refusal without param',
      () => ProviderHttp.readRefusal({ error: { message: '', type: '', code: '' } }, '$'),
      'missing',
      '$.error.param',
    ],
    [
      'a wrong claim in an answer',
      () =>
        ProviderHttp.readEvent('end', {
          ...(ProviderHttp.endToJson(end) as object),
          receipt: { ...(Receipt.toJson(receipt) as object), claim: {} },
        }),
      'missing',
      '$.receipt.claim.domain',
    ],
    [
      'a wrong trace in an answer',
      () =>
        ProviderHttp.readEvent('end', {
          ...(ProviderHttp.endToJson(end) as object),
          trace: { choices: ['0x00'] },
        }),
      'length',
      '$.trace.choices[0]',
    ],
    [
      'a job without a nonce',
      () => ProviderHttp.readJobPost({ channel, offer: nonce, job }, '$'),
      'missing',
      '$.nonce',
    ],
    [
      'a wrong job',
      () => ProviderHttp.readJobPost({ channel, offer: nonce, job: { ...job, stop: [''] }, nonce }, '$'),
      'range',
      '$.job.stop[0]',
    ],
    [
      '4097 claims in a voucher',
      () =>
        ProviderHttp.readVoucherPost(
          { voucher: Voucher.toJson(voucher), accepts: Array(4097).fill(nonce), refuses: [] },
          '$',
        ),
      'too-many',
      '$.accepts',
    ],
    [
      '257 unpaid claims',
      () => ProviderHttp.readUnpaid({ claims: Array(257).fill(0) }, '$'),
      'too-many',
      '$.claims',
    ],
    [
      '1025 offers',
      () => ProviderHttp.readOffers({ offers: Array(1025).fill(0) }, '$'),
      'too-many',
      '$.offers',
    ],
    [
      '4097 log-probabilities at once',
      () => ProviderHttp.readEvent('delta', { content: '', logprobs: Array(4097).fill(logprob) }),
      'too-many',
      '$.logprobs',
    ],
    [
      'a token of 257 bytes',
      () => ProviderHttp.readToken({ token: 'x'.repeat(257), expires: 1 }, '$'),
      'too-long',
      '$.token',
    ],
    [
      'a deposit as a number',
      () =>
        ProviderHttp.readChannelState(
          { channel, deposit: 1, paid: '0', exposure: '0', credit: '0', vouchers: [] },
          '$',
        ),
      'type',
      '$.deposit',
    ],
  ])('refuses %s', (_, read, code, at) => {
    expect(read).toThrow(expect.objectContaining({ name: 'DecodeError', code, at }))
  })

  it.each([
    ['a batch', (n: bigint) => ProviderHttp.readBatch({ first: `${n}`, leaves: [] }, '$'), 64],
    ['a deposit', (n: bigint) => ProviderHttp.readChannelState(stateOf({ deposit: `${n}` }), '$'), 128],
    ['what is paid', (n: bigint) => ProviderHttp.readChannelState(stateOf({ paid: `${n}` }), '$'), 128],
    ['an exposure', (n: bigint) => ProviderHttp.readChannelState(stateOf({ exposure: `${n}` }), '$'), 128],
    ['a credit', (n: bigint) => ProviderHttp.readChannelState(stateOf({ credit: `${n}` }), '$'), 128],
  ])('takes %s up to its number of bits and no more', (_, read, bits) => {
    expect(() => read(2n ** BigInt(bits) - 1n)).not.toThrow()
    expect(() => read(2n ** BigInt(bits))).toThrow(expect.objectContaining({ code: 'range' }))
  })

  it('takes a param of 256 bytes and no more, and a token that has expired', () => {
    const body = (length: number) => ({
      error: { message: 'x', type: 'x', param: 'p'.repeat(length), code: 'queue_full' },
    })
    expect(ProviderHttp.readRefusal(body(256), '$').param).toHaveLength(256)
    expect(() => ProviderHttp.readRefusal(body(257), '$')).toThrow(
      expect.objectContaining({ code: 'too-long' }),
    )
    expect(ProviderHttp.readToken({ token: '', expires: 0 }, '$').expires).toBe(0)
  })

  it('ends with the whole answer as JSON', () => {
    expect(wire(ProviderHttp.endToJson(end))).toEqual({ receipt: Receipt.toJson(receipt), output, trace })
    expect(Trace.length(trace)).toBe(output.usage.outputTokens)
  })
})
