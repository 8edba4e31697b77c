import * as Bytes from './Bytes.ts'
import * as Decode from './Decode.ts'
import * as Digest from './Digest.ts'
import * as Params from './Params.ts'
import type { Usage } from './Usage.ts'
import * as Words from './Words.ts'

/** Micro-units of the stable coin (10^-6) per million tokens. */
export type Prices = { readonly prompt: bigint; readonly cached: bigint; readonly output: bigint }

/**
 * What a provider sells: one model on one runtime. 9 words of 32 bytes, big-endian, smaller fields right-aligned:
 *
 *     domain · provider · keyId · model · runtime
 *     prices    prompt u64 ‖ cached u64 ‖ output u64 ‖ 0
 *     limits    contextTokens u64 ‖ outputTokens u64 ‖ 0 ‖ 0
 *     validity  notBefore s u64 ‖ notAfter s u64 ‖ 0 ‖ 0
 *     flags     bit 0: trace delivered
 */
export type Offer = {
  readonly domain: Bytes.Hex
  readonly provider: Bytes.Hex
  readonly keyId: Bytes.Hex
  readonly model: Bytes.Hex
  readonly runtime: Bytes.Hex
  readonly prices: Prices
  readonly limits: { readonly contextTokens: number; readonly outputTokens: number }
  readonly validity: { readonly notBefore: number; readonly notAfter: number }
  readonly flags: { readonly trace: boolean }
}

export type SignedOffer = { readonly offer: Offer; readonly signature: Bytes.Hex }

export function encode(offer: Offer): Uint8Array {
  return Bytes.concat(
    ...[offer.domain, offer.provider, offer.keyId, offer.model, offer.runtime].map(Words.fromHex),
    Words.fromU64s(offer.prices.prompt, offer.prices.cached, offer.prices.output, 0n),
    Words.fromU64s(BigInt(offer.limits.contextTokens), BigInt(offer.limits.outputTokens), 0n, 0n),
    Words.fromU64s(BigInt(offer.validity.notBefore), BigInt(offer.validity.notAfter), 0n, 0n),
    Words.fromBigInt(offer.flags.trace ? 1n : 0n),
  )
}

/** The offer of exactly 288 bytes; refuses other lengths, padding, unknown flags, c > p and an empty validity. */
export function decode(bytes: Uint8Array): Offer {
  const words = Words.split(bytes, 9)
  const [prompt, cached, output] = Words.u64s(words[5], 3, '$.prices')
  const [contextTokens, outputTokens] = Words.u64s(words[6], 2, '$.limits')
  const [notBefore, notAfter] = Words.u64s(words[7], 2, '$.validity')
  const flags = Bytes.toBigInt(words[8] ?? new Uint8Array())
  if (flags > 1n)
    throw new Decode.DecodeError('range', '$.flags', flags, 'has a flag that this version does not know')
  return check({
    domain: Words.digest(words[0], '$.domain'),
    provider: Bytes.toHex(Words.low(words[1], 20, '$.provider')),
    keyId: Words.digest(words[2], '$.keyId'),
    model: Words.digest(words[3], '$.model'),
    runtime: Words.digest(words[4], '$.runtime'),
    prices: { prompt, cached, output },
    limits: {
      contextTokens: Words.number(contextTokens, Params.contextTokensMax, '$.limits.contextTokens'),
      outputTokens: Words.number(outputTokens, Params.outputTokensMax, '$.limits.outputTokens'),
    },
    validity: {
      notBefore: Words.number(notBefore, Number.MAX_SAFE_INTEGER, '$.validity.notBefore'),
      notAfter: Words.number(notAfter, Number.MAX_SAFE_INTEGER, '$.validity.notAfter'),
    },
    flags: { trace: flags === 1n },
  })
}

/** `offerId = H("offer", the 288 bytes)` */
export function id(offer: Offer): Bytes.Hex {
  return Digest.of('offer', encode(offer))
}

/** What the receipt key signs, so that ECDSA's own SHA-256 of it is the offer's id. */
export function message(offer: Offer): Uint8Array {
  return Digest.preimage('offer', encode(offer))
}

/**
 * `ceil(((prompt - cached) x p + cached x c + output x o) / 10^6)`: one rounding, at the end. Micro-units.
 * @example Offer.charge({ prompt: 100_000n, cached: 0n, output: 400_000n }, { promptTokens: 10, cachedTokens: 0, outputTokens: 5 }) // 3n
 */
export function charge(prices: Prices, usage: Usage): bigint {
  if (usage.cachedTokens > usage.promptTokens)
    throw new RangeError(`cachedTokens ${usage.cachedTokens} exceed promptTokens ${usage.promptTokens}`)
  const sum =
    BigInt(usage.promptTokens - usage.cachedTokens) * prices.prompt +
    BigInt(usage.cachedTokens) * prices.cached +
    BigInt(usage.outputTokens) * prices.output
  return (sum + 999_999n) / 1_000_000n
}

const u64 = Decode.decimal(64)
const readOffer = Decode.object({
  domain: Decode.digest,
  provider: Decode.address,
  keyId: Decode.digest,
  model: Decode.digest,
  runtime: Decode.digest,
  prices: Decode.object({ prompt: u64, cached: u64, output: u64 }),
  limits: Decode.object({
    contextTokens: Decode.integer(1, Params.contextTokensMax),
    outputTokens: Decode.integer(1, Params.outputTokensMax),
  }),
  validity: Decode.object({
    notBefore: Decode.integer(0, Number.MAX_SAFE_INTEGER),
    notAfter: Decode.integer(0, Number.MAX_SAFE_INTEGER),
  }),
  flags: Decode.object({ trace: Decode.boolean }),
})
const readJson = Decode.object({
  offer: Decode.nested((value) => check(readOffer(value, '$'))),
  signature: Decode.hex(Params.signatureBytes),
})

export function toJson(signed: SignedOffer): unknown {
  const { prices, ...rest } = signed.offer
  const decimals = { prompt: `${prices.prompt}`, cached: `${prices.cached}`, output: `${prices.output}` }
  return { offer: { ...rest, prices: decimals }, signature: signed.signature }
}

export function fromJson(value: unknown): SignedOffer {
  return readJson(value, '$')
}

function check(offer: Offer): Offer {
  if (offer.prices.cached > offer.prices.prompt)
    throw new Decode.DecodeError(
      'range',
      '$.prices.cached',
      offer.prices.cached,
      `must be at most the prompt price ${offer.prices.prompt}`,
    )
  if (offer.validity.notAfter <= offer.validity.notBefore)
    throw new Decode.DecodeError(
      'range',
      '$.validity.notAfter',
      offer.validity.notAfter,
      `must be after notBefore ${offer.validity.notBefore}`,
    )
  if (offer.limits.contextTokens === 0 || offer.limits.outputTokens === 0)
    throw new Decode.DecodeError('range', '$.limits', 0, 'must allow at least one token')
  return offer
}
