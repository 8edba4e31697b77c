import * as Bytes from './Bytes.ts'
import * as Decode from './Decode.ts'
import * as Digest from './Digest.ts'
import * as Finish from './Finish.ts'
import * as Params from './Params.ts'
import type { Usage } from './Usage.ts'
import * as Words from './Words.ts'

/**
 * A provider's statement about one job. 16 words of 32 bytes, big-endian, smaller fields right-aligned:
 *
 *     domain · provider · keyId
 *     sequence  0 u128 ‖ sequence u64 ‖ epoch u64
 *     model · runtime · offer · request · answer · trace (0: none)
 *     usage     promptTokens u64 ‖ cachedTokens u64 ‖ outputTokens u64 ‖ finish u64
 *     channel
 *     amount    0 u128 ‖ charged u128
 *     time      started ms u64 ‖ first token ms u64 ‖ ended ms u64 ‖ 0
 *     parents (0: none) · evidence (0: none)
 */
export type Claim = {
  readonly domain: Bytes.Hex
  readonly provider: Bytes.Hex
  readonly keyId: Bytes.Hex
  readonly sequence: bigint
  readonly epoch: bigint
  readonly model: Bytes.Hex
  readonly runtime: Bytes.Hex
  readonly offer: Bytes.Hex
  readonly request: Bytes.Hex
  readonly answer: Bytes.Hex
  readonly trace: Bytes.Hex
  readonly usage: Usage
  readonly finish: Finish.Finish
  readonly channel: Bytes.Hex
  readonly amount: bigint
  /** Milliseconds since 1970 UTC, the provider's own word. */
  readonly time: { readonly started: number; readonly firstToken: number; readonly ended: number }
  readonly parents: Bytes.Hex
  readonly evidence: Bytes.Hex
}

/**
 * The network a claim belongs to: `H("claim", chainId u256 ‖ address of Providers, 20 bytes)`.
 * @example Claim.domain(31337, '0x5fbdb2315678afecb367f032d93f642f64180aa3')
 */
export function domain(chainId: number, providers: Bytes.Hex): Bytes.Hex {
  return Digest.of('claim', Words.fromBigInt(BigInt(chainId)), Bytes.fromHex(providers))
}

export function encode(claim: Claim): Uint8Array {
  const { usage, time } = claim
  return Bytes.concat(
    ...[claim.domain, claim.provider, claim.keyId].map(Words.fromHex),
    Words.fromU64s(0n, 0n, claim.sequence, claim.epoch),
    ...[claim.model, claim.runtime, claim.offer, claim.request, claim.answer, claim.trace].map(Words.fromHex),
    Words.fromU64s(
      BigInt(usage.promptTokens),
      BigInt(usage.cachedTokens),
      BigInt(usage.outputTokens),
      BigInt(Finish.toNumber(claim.finish)),
    ),
    Words.fromHex(claim.channel),
    Bytes.concat(new Uint8Array(16), Bytes.fromBigInt(claim.amount, 16)),
    Words.fromU64s(BigInt(time.started), BigInt(time.firstToken), BigInt(time.ended), 0n),
    ...[claim.parents, claim.evidence].map(Words.fromHex),
  )
}

/** The claim of exactly 512 bytes; refuses other lengths, padding that is not zero, unknown finishes and times out of order. */
export function decode(bytes: Uint8Array): Claim {
  const words = Words.split(bytes, 16)
  const place = Words.low(words[3], 16, '$.sequence')
  const [promptTokens, cachedTokens, outputTokens, finishNumber] = Words.u64s(words[10], 4, '$.usage')
  const [started, firstToken, ended] = Words.u64s(words[13], 3, '$.time')
  const finish = Finish.names[Number(finishNumber)]
  if (finish === undefined)
    throw new Decode.DecodeError('range', '$.finish', finishNumber, `must be below ${Finish.names.length}`)
  const number = (value: bigint, max: number, at: string) => Words.number(value, max, `$.${at}`)
  return check({
    domain: Words.digest(words[0], '$.domain'),
    provider: Bytes.toHex(Words.low(words[1], 20, '$.provider')),
    keyId: Words.digest(words[2], '$.keyId'),
    sequence: Bytes.toBigInt(place.subarray(0, 8)),
    epoch: Bytes.toBigInt(place.subarray(8)),
    model: Words.digest(words[4], '$.model'),
    runtime: Words.digest(words[5], '$.runtime'),
    offer: Words.digest(words[6], '$.offer'),
    request: Words.digest(words[7], '$.request'),
    answer: Words.digest(words[8], '$.answer'),
    trace: Words.digest(words[9], '$.trace'),
    usage: {
      promptTokens: number(promptTokens, Params.contextTokensMax, 'usage.promptTokens'),
      cachedTokens: number(cachedTokens, Params.contextTokensMax, 'usage.cachedTokens'),
      outputTokens: number(outputTokens, Params.outputTokensMax, 'usage.outputTokens'),
    },
    finish,
    channel: Words.digest(words[11], '$.channel'),
    amount: Bytes.toBigInt(Words.low(words[12], 16, '$.amount')),
    time: {
      started: number(started, Number.MAX_SAFE_INTEGER, 'time.started'),
      firstToken: number(firstToken, Number.MAX_SAFE_INTEGER, 'time.firstToken'),
      ended: number(ended, Number.MAX_SAFE_INTEGER, 'time.ended'),
    },
    parents: Words.digest(words[14], '$.parents'),
    evidence: Words.digest(words[15], '$.evidence'),
  })
}

/** `claimId = sha256(the 512 bytes)`: what ECDSA with SHA-256 signs when it signs {@link encode}. */
export function id(claim: Claim): Bytes.Hex {
  return Bytes.toHex(Digest.sha256(encode(claim)))
}

const time = Decode.integer(0, Number.MAX_SAFE_INTEGER)
const readJson: Decode.Reader<Claim> = Decode.object({
  domain: Decode.digest,
  provider: Decode.address,
  keyId: Decode.digest,
  sequence: Decode.decimal(64),
  epoch: Decode.decimal(64),
  model: Decode.digest,
  runtime: Decode.digest,
  offer: Decode.digest,
  request: Decode.digest,
  answer: Decode.digest,
  trace: Decode.digest,
  usage: Decode.object({
    promptTokens: Decode.integer(0, Params.contextTokensMax),
    cachedTokens: Decode.integer(0, Params.contextTokensMax),
    outputTokens: Decode.integer(0, Params.outputTokensMax),
  }),
  finish: Decode.literal(...Finish.names),
  channel: Decode.digest,
  amount: Decode.decimal(128),
  time: Decode.object({ started: time, firstToken: time, ended: time }),
  parents: Decode.digest,
  evidence: Decode.digest,
})

export function toJson(claim: Claim): unknown {
  return { ...claim, sequence: `${claim.sequence}`, epoch: `${claim.epoch}`, amount: `${claim.amount}` }
}

export function fromJson(value: unknown): Claim {
  return check(readJson(value, '$'))
}

function check(claim: Claim): Claim {
  const { usage, time: times } = claim
  if (usage.cachedTokens > usage.promptTokens)
    throw new Decode.DecodeError(
      'range',
      '$.usage.cachedTokens',
      usage.cachedTokens,
      `must be at most promptTokens ${usage.promptTokens}`,
    )
  if (times.firstToken < times.started || times.ended < times.firstToken)
    throw new Decode.DecodeError(
      'order',
      '$.time',
      times.ended,
      'must run from started over firstToken to ended',
    )
  return claim
}
