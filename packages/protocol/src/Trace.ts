import * as Bytes from './Bytes.ts'
import * as Decode from './Decode.ts'
import * as Digest from './Digest.ts'
import * as Merkle from './Merkle.ts'
import { logprobUnitsPerNat, outputTokensMax, traceBlockTokens, traceTokenBytes } from './Params.ts'

/** One sampled token: id u32 and log-probability in 1/1024 nat (-32768 … 0) of the raw logits over the whole vocabulary. */
export type Token = { readonly id: number; readonly logprob: number }

/** Per choice, 6 bytes a token: id u32 ‖ log-probability i16, big-endian. */
export type Trace = { readonly choices: readonly Bytes.Hex[] }

/**
 * A log-probability in nats as the trace's integer: 1/1024 nat, half to even, held within i16 and at most 0.
 * @example Trace.quantize(-0.5) // -512
 */
export function quantize(nats: number): number {
  const units = nats * logprobUnitsPerNat
  const floor = Math.floor(units)
  const rest = units - floor
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor
  return Math.max(-32768, Math.min(0, rounded)) + 0
}

export function encode(choices: readonly (readonly Token[])[]): Trace {
  return { choices: choices.map((tokens) => Bytes.toHex(encodeTokens(tokens))) }
}

export function decode(trace: Trace): readonly (readonly Token[])[] {
  return trace.choices.map((hex, i) => decodeTokens(Bytes.fromHex(hex), `$.choices[${i}]`))
}

/**
 * The root that a claim carries: leaves of 32 tokens, `sha256(0x00 ‖ HMAC(saltTrace, i u32) ‖ block)`, i over all blocks,
 * a choice starts a new block, the last is not padded. RFC 9162 nodes above.
 * @example Trace.root(Trace.encode([[{ id: 5, logprob: -12 }]]), Nonce.salts(nonce).trace)
 */
export function root(trace: Trace, salt: Bytes.Hex): Bytes.Hex {
  const key = Bytes.fromHex(salt)
  const leaves = blocks(trace).map((block, i) =>
    Merkle.hashLeaf(Bytes.concat(Digest.hmac(key, Bytes.fromBigInt(BigInt(i), 4)), block)),
  )
  return Bytes.toHex(Merkle.root(leaves))
}

export function length(trace: Trace): number {
  return trace.choices.reduce((sum, hex) => sum + (hex.length - 2) / (2 * traceTokenBytes), 0)
}

const readJson = Decode.object({
  choices: Decode.array(Decode.hexUpTo(outputTokensMax * traceTokenBytes), 1),
})

/** A trace from JSON; refuses part of a token and a log-probability above 0. */
export function fromJson(value: unknown): Trace {
  const trace = readJson(value, '$')
  decode(trace)
  return trace
}

function encodeTokens(tokens: readonly Token[]): Uint8Array {
  const bytes = new Uint8Array(tokens.length * traceTokenBytes)
  const view = new DataView(bytes.buffer)
  tokens.forEach(({ id, logprob }, i) => {
    if (!Number.isInteger(logprob) || logprob < -32768 || logprob > 0)
      throw new RangeError(`log-probability ${logprob} is not an integer from -32768 to 0: quantize it`)
    if (!Number.isInteger(id) || id < 0 || id > 0xffffffff)
      throw new RangeError(`token id ${id} is not a u32`)
    view.setUint32(i * traceTokenBytes, id)
    view.setInt16(i * traceTokenBytes + 4, logprob)
  })
  return bytes
}

function decodeTokens(bytes: Uint8Array, at: string): readonly Token[] {
  if (bytes.length % traceTokenBytes !== 0)
    throw new Decode.DecodeError(
      'length',
      at,
      bytes.length,
      `must have whole tokens of ${traceTokenBytes} bytes`,
    )
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Array.from({ length: bytes.length / traceTokenBytes }, (_, i) => {
    const logprob = view.getInt16(i * traceTokenBytes + 4)
    if (logprob > 0)
      throw new Decode.DecodeError(
        'range',
        `${at} token ${i}`,
        logprob,
        'must have a log-probability of at most 0',
      )
    return { id: view.getUint32(i * traceTokenBytes), logprob }
  })
}

function blocks(trace: Trace): readonly Uint8Array[] {
  const size = traceBlockTokens * traceTokenBytes
  return trace.choices.flatMap((hex) => {
    const bytes = Bytes.fromHex(hex)
    return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    )
  })
}
