import { Bytes, Claim, Finish } from '../../src/index.ts'
import * as Example from '../Example.ts'
import type { Case, Vectors } from './Vectors.ts'

const ones: Bytes.Hex = `0x${'ff'.repeat(32)}`
const u64 = 2n ** 64n - 1n

const smallest: Claim.Claim = {
  domain: Bytes.zero32,
  provider: `0x${'00'.repeat(20)}`,
  keyId: Bytes.zero32,
  sequence: 0n,
  epoch: 0n,
  model: Bytes.zero32,
  runtime: Bytes.zero32,
  offer: Bytes.zero32,
  request: Bytes.zero32,
  answer: Bytes.zero32,
  trace: Bytes.zero32,
  usage: { promptTokens: 0, cachedTokens: 0, outputTokens: 0 },
  finish: 'stop',
  channel: Bytes.zero32,
  amount: 0n,
  time: { started: 0, firstToken: 0, ended: 0 },
  parents: Bytes.zero32,
  evidence: Bytes.zero32,
}

const latest = Number.MAX_SAFE_INTEGER
const largest: Claim.Claim = {
  domain: ones,
  provider: `0x${'ff'.repeat(20)}`,
  keyId: ones,
  sequence: u64,
  epoch: u64,
  model: ones,
  runtime: ones,
  offer: ones,
  request: ones,
  answer: ones,
  trace: ones,
  usage: { promptTokens: 16_777_216, cachedTokens: 16_777_216, outputTokens: 131_072 },
  finish: 'aborted',
  channel: ones,
  amount: 2n ** 128n - 1n,
  time: { started: latest, firstToken: latest, ended: latest },
  parents: ones,
  evidence: ones,
}

function valid(name: string, claim: Claim.Claim): Case {
  const signature = Example.signClaim(claim)
  const point = Bytes.fromHex(Example.publicKey)
  return {
    name,
    bytes: Bytes.toHex(Claim.encode(claim)),
    id: Claim.id(claim),
    publicKeyX: Bytes.toHex(point.subarray(1, 33)),
    publicKeyY: Bytes.toHex(point.subarray(33)),
    signatureR: signature.slice(0, 66),
    signatureS: `0x${signature.slice(66)}`,
    finishNumber: Finish.toNumber(claim.finish),
    claim: Claim.toJson(claim),
  }
}

/** The example's bytes with those of one word replaced, counted from the word's first byte. */
function patched(word: number, from: number, bytes: readonly number[]): Bytes.Hex {
  const out = Claim.encode(Example.claim)
  out.set(bytes, word * 32 + from)
  return Bytes.toHex(out)
}

const eight = (value: number): readonly number[] => [...Bytes.fromBigInt(BigInt(value), 8)]

// `contract` is the custom error of `Claims.decode` in Solidity.
const padding = { error: 'padding', contract: 'NonzeroPadding' }
const range = { error: 'range', contract: 'AboveLimit' }

export const claim: Vectors = {
  valid: [
    valid('an answer', Example.claim),
    valid('every field at its least', smallest),
    valid('every field at its most', largest),
    ...Finish.names.map((finish) => valid(`finish ${finish}`, { ...Example.claim, finish })),
    valid('sequence and epoch do not mix', { ...Example.claim, sequence: 1n, epoch: 2n }),
    valid('no trace', { ...Example.claim, trace: Bytes.zero32 }),
    valid('built on other claims', {
      ...Example.claim,
      parents: Claim.id(Example.claim),
      evidence: Claim.id(smallest),
    }),
  ],
  invalid: [
    { name: 'no bytes', bytes: '0x', error: 'length', contract: 'WrongLength' },
    {
      name: 'a byte short',
      bytes: Bytes.toHex(Claim.encode(Example.claim).subarray(0, 511)),
      error: 'length',
      contract: 'WrongLength',
    },
    {
      name: 'a byte over',
      bytes: `${Bytes.toHex(Claim.encode(Example.claim))}00`,
      error: 'length',
      contract: 'WrongLength',
    },
    { name: 'provider not right-aligned', bytes: patched(1, 0, [1]), ...padding },
    { name: 'bit just above the provider', bytes: patched(1, 11, [1]), ...padding },
    { name: 'sequence word holds more than two u64', bytes: patched(3, 15, [1]), ...padding },
    { name: 'amount above u128', bytes: patched(12, 15, [1]), ...padding },
    { name: 'fourth time field', bytes: patched(13, 31, [1]), ...padding },
    {
      name: 'finish 5',
      bytes: patched(10, 24, eight(5)),
      error: 'range',
      contract: 'UnknownFinish',
    },
    {
      name: 'finish 2^64 - 1',
      bytes: patched(10, 24, Array(8).fill(255)),
      error: 'range',
      contract: 'UnknownFinish',
    },
    { name: 'prompt tokens past the limit', bytes: patched(10, 0, eight(16_777_217)), ...range },
    { name: 'output tokens past the limit', bytes: patched(10, 16, eight(131_073)), ...range },
    {
      name: 'more cached than prompt tokens',
      bytes: patched(10, 8, eight(32)),
      ...range,
      contract: 'CachedExceedsPrompt',
    },
    { name: 'time past 2^53', bytes: patched(13, 16, Array(8).fill(255)), ...range },
    {
      name: 'first token before the start',
      bytes: patched(13, 8, eight(Example.claim.time.started - 1)),
      error: 'order',
      contract: 'TimesOutOfOrder',
    },
    {
      name: 'end before the first token',
      bytes: patched(13, 16, eight(Example.claim.time.firstToken - 1)),
      error: 'order',
      contract: 'TimesOutOfOrder',
    },
  ],
}
