import * as Access from './Access.ts'
import type * as Bytes from './Bytes.ts'
import * as Decode from './Decode.ts'
import * as Job from './Job.ts'
import * as ModelManifest from './ModelManifest.ts'
import * as Offer from './Offer.ts'
import * as Output from './Output.ts'
import * as Params from './Params.ts'
import * as Receipt from './Receipt.ts'
import * as Refusal from './Refusal.ts'
import * as Runtime from './Runtime.ts'
import * as Trace from './Trace.ts'
import * as Voucher from './Voucher.ts'

// What crosses between a payer and a provider (`spec/provider-http.md`). Each body has a reader; what is sent is plain JSON
// made by the nouns' own toJson.

/** Paths of the provider's API, below its endpoint. */
export const paths = {
  offers: '/v1/offers',
  manifest: (model: Bytes.Hex) => `/v1/manifests/${model}`,
  runtime: (runtime: Bytes.Hex) => `/v1/runtimes/${runtime}`,
  batch: (keyId: Bytes.Hex, epoch: bigint) => `/v1/batches/${keyId}/${epoch}`,
  challenge: '/v1/access/challenge',
  access: '/v1/access',
  jobs: '/v1/jobs',
  job: (request: Bytes.Hex) => `/v1/jobs/${request}`,
  vouchers: '/v1/vouchers',
  channel: (channel: Bytes.Hex) => `/v1/channels/${channel}`,
  unpaid: (channel: Bytes.Hex) => `/v1/channels/${channel}/unpaid`,
} as const

/** GET offers. */
export const readOffers: Decode.Reader<{ readonly offers: readonly Offer.SignedOffer[] }> = Decode.object({
  offers: Decode.array(Decode.nested(Offer.fromJson), 1024),
})

export const readManifest: Decode.Reader<ModelManifest.ModelManifest> = Decode.nested(ModelManifest.decode)
export const readRuntime: Decode.Reader<Runtime.Runtime> = Decode.nested(Runtime.decode)

/** GET batch: the leaves of one epoch in order of their sequence numbers from `first` on. */
export type BatchLeaves = { readonly first: bigint; readonly leaves: readonly Bytes.Hex[] }
export const readBatch: Decode.Reader<BatchLeaves> = Decode.object({
  first: Decode.decimal(64),
  leaves: Decode.array(Decode.digest, 1_000_000),
})

/** GET challenge: 32 random bytes, good for one access within a minute. */
export const readChallenge: Decode.Reader<{ readonly challenge: Bytes.Hex }> = Decode.object({
  challenge: Decode.digest,
})

/** POST access: a signed challenge; answered with a bearer token good for an hour. `expires` in seconds. */
export const readAccess: Decode.Reader<Access.SignedAccess> = Decode.nested(Access.fromJson)
export type Token = { readonly token: string; readonly expires: number }
export const readToken: Decode.Reader<Token> = Decode.object({
  token: Decode.text(256),
  expires: Decode.integer(0, Number.MAX_SAFE_INTEGER),
})

/** POST job: what is asked for, under which offer, on whose account, with the caller's secret nonce. */
export type JobPost = {
  readonly channel: Bytes.Hex
  readonly offer: Bytes.Hex
  readonly job: Job.Job
  readonly nonce: Bytes.Hex
}
export const readJobPost: Decode.Reader<JobPost> = Decode.object({
  channel: Decode.digest,
  offer: Decode.digest,
  job: Decode.nested(Job.decode),
  nonce: Decode.digest,
})

/** Server-sent event `delta`: what this moment adds to the answer; `logprobs` only where the job asked for them. */
export type Delta = { readonly content: string; readonly logprobs?: readonly Output.TokenLogprob[] }
const readDelta = Decode.object(
  { content: Decode.text(Params.outputBytesMax) },
  {
    logprobs: (value: unknown, at: string): readonly Output.TokenLogprob[] =>
      Decode.array(Output.readTokenLogprob, 4096)(value, at),
  },
)

/** Event `end`: the whole answer, its claim and its trace. The claim was durable before this was sent. */
export type End = {
  readonly receipt: Receipt.Receipt
  readonly output: Output.Output
  readonly trace: Trace.Trace
}
const readEnd: Decode.Reader<End> = Decode.object({
  receipt: Decode.nested(Receipt.fromJson),
  output: Decode.nested(Output.decode),
  trace: Decode.nested(Trace.fromJson),
})

export function endToJson(end: End): unknown {
  return { ...end, receipt: Receipt.toJson(end.receipt) }
}

/** Event `error`, and the body of every refused request: OpenAI's shape with a code of ours. */
export const readRefusal: Decode.Reader<Refusal.Refusal> = (value, at) => {
  const { error } = readError(value, at)
  const code: Refusal.Code = Refusal.isCode(error.code) ? error.code : 'provider_failed'
  return Refusal.of(code, error.message, error.param)
}
const readError = Decode.object({
  error: Decode.object({
    message: Decode.text(16_384),
    type: Decode.text(64),
    param: (value: unknown, at: string): string | null =>
      value === null ? null : Decode.text(256)(value, at),
    code: Decode.text(64),
  }),
})

export type Event =
  | { readonly event: 'delta'; readonly data: Delta }
  | { readonly event: 'end'; readonly data: End }
  | { readonly event: 'error'; readonly data: Refusal.Refusal }

/** One server-sent event of a job's stream; an unknown name is refused. */
export function readEvent(event: string, value: unknown): Event {
  if (event === 'delta') return { event, data: readDelta(value, '$') }
  if (event === 'end') return { event, data: readEnd(value, '$') }
  if (event === 'error') return { event, data: readRefusal(value, '$') }
  throw new Decode.DecodeError('range', '$', event, 'must be event delta, end or error')
}

/** POST voucher: pays every claim in `accepts`; `refuses` are those that do not check, with the reason. */
export type VoucherPost = {
  readonly voucher: Voucher.SignedVoucher
  readonly accepts: readonly Bytes.Hex[]
  readonly refuses: readonly { readonly claimId: Bytes.Hex; readonly reason: string }[]
}
const claimsPerVoucherMax = 4096
export const readVoucherPost: Decode.Reader<VoucherPost> = Decode.object({
  voucher: Decode.nested(Voucher.fromJson),
  accepts: Decode.array(Decode.digest, claimsPerVoucherMax),
  refuses: Decode.array(
    Decode.object({ claimId: Decode.digest, reason: Decode.text(1024) }),
    claimsPerVoucherMax,
  ),
})

export function voucherPostToJson(post: VoucherPost): unknown {
  return { ...post, voucher: Voucher.toJson(post.voucher) }
}

/** GET channel: the payee's view; the higher valid voucher of the two sides stands. Micro-units. */
export type ChannelState = {
  readonly channel: Bytes.Hex
  readonly deposit: bigint
  readonly paid: bigint
  readonly exposure: bigint
  readonly credit: bigint
  readonly vouchers: readonly Voucher.SignedVoucher[]
}
export const readChannelState: Decode.Reader<ChannelState> = Decode.object({
  channel: Decode.digest,
  deposit: Decode.decimal(128),
  paid: Decode.decimal(128),
  exposure: Decode.decimal(128),
  credit: Decode.decimal(128),
  vouchers: Decode.array(Decode.nested(Voucher.fromJson), 1024),
})

export function channelStateToJson(state: ChannelState): unknown {
  return {
    ...state,
    deposit: `${state.deposit}`,
    paid: `${state.paid}`,
    exposure: `${state.exposure}`,
    credit: `${state.credit}`,
    vouchers: state.vouchers.map(Voucher.toJson),
  }
}

/** GET unpaid: the channel's claims that no voucher has paid, oldest first, with their answers. */
export const unpaidMax = 256
export const readUnpaid: Decode.Reader<{ readonly claims: readonly End[] }> = Decode.object({
  claims: Decode.array(readEnd, unpaidMax),
})
