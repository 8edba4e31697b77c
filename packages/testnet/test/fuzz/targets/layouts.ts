import { Gguf } from '@counterfoil/models'
import { Bytes, Canonical, Claim, Decode, Offer, Receipt, Statistic } from '@counterfoil/protocol'
import fc from 'fast-check'
import * as Arbitrary from '../../../../protocol/test/Arbitrary.ts'
import * as Example from '../../../../protocol/test/Example.ts'
import * as Binary from '../Binary.ts'
import { layout } from '../Decoder.ts'
import { BrokenError, type Target, trial } from '../Target.ts'

// Every noun that comes as bytes.

const text = (utf8: Uint8Array) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(utf8)

const u32 = (value: number): Uint8Array => {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, value, true)
  return out
}
const u64 = (value: number): Uint8Array => Bytes.concat(u32(value), u32(0))
const ggufText = (value: string): Uint8Array => Bytes.concat(u64(value.length), Bytes.fromText(value))

/** A header with a value of each type, arrays of numbers, of texts and of arrays. */
const header = Bytes.concat(
  ...[Bytes.fromText('GGUF'), u32(3), u64(2), u64(8)],
  ...[ggufText('general.architecture'), u32(8), ggufText('llama')],
  ...[ggufText('llama.context_length'), u32(4), u32(2048)],
  ...[ggufText('a.flag'), u32(7), Uint8Array.of(1)],
  ...[ggufText('a.float'), u32(6), u32(0x3f800000)],
  ...[ggufText('a.long'), u32(10), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0x80)],
  ...[ggufText('tokens'), u32(9), u32(8), u64(2), ggufText('a'), ggufText('b')],
  ...[ggufText('scores'), u32(9), u32(5), u64(3), u32(1), u32(2), u32(3)],
  ...[ggufText('nested'), u32(9), u32(9), u64(1), u32(0), u64(2), Uint8Array.of(1, 2)],
)

const statistic = fc.record({
  first: fc.nat(40_000),
  second: fc.nat(40_000),
  spread: fc.nat(65_535),
  logprob: fc.nat(40_000),
})

export const layouts: readonly Target[] = [
  layout({
    name: 'claim, 512 bytes',
    weight: 40,
    decode: Claim.decode,
    encode: Claim.encode,
    examples: [Claim.encode(Example.claim)],
    honest: Arbitrary.claim,
  }),
  layout({
    name: 'offer, 288 bytes',
    weight: 20,
    decode: Offer.decode,
    encode: Offer.encode,
    examples: [Offer.encode(Example.offer)],
  }),
  layout({
    name: 'receipt, bytes',
    weight: 20,
    decode: (bytes) => Receipt.decode(bytes, text),
    encode: Receipt.encode,
    examples: [Receipt.encode(Example.receipt), Receipt.encode({ ...Example.receipt, evidence: [] })],
    honest: Arbitrary.receipt,
  }),
  layout({
    name: 'statistics, bytes',
    decode: Statistic.decode,
    encode: Statistic.encode,
    examples: [Statistic.encode(Array(40).fill({ first: 1, second: 2, spread: 3, logprob: 4 }))],
    honest: fc.array(statistic, { maxLength: 40 }),
  }),
  layout({
    name: 'GGUF header',
    weight: 40,
    decode: Gguf.decode,
    examples: [header],
    isOwn: (error) => error instanceof Gguf.GgufError,
  }),
  {
    name: 'canonical JSON',
    weight: 20,
    open() {
      const examples = [Example.job, Example.output, Example.manifest].map((one) =>
        Bytes.fromText(Canonical.encode(one)),
      )
      return trial(Binary.mutated(examples), (bytes) => {
        const given = new TextDecoder().decode(bytes)
        try {
          const value = Canonical.decode(given)
          if (Canonical.encode(value) !== given) throw new BrokenError('two texts of one value were taken')
          // Another order, white space or a second spelling of the same value is refused.
          for (const other of [` ${given}`, `${given}\n`, JSON.stringify(value, undefined, 1)])
            if (other !== given && isTaken(other))
              throw new BrokenError(`${other.slice(0, 80)} was taken too`)
          return 'accepted'
        } catch (error) {
          if (error instanceof Decode.DecodeError) return 'refused'
          throw error
        }
      })
    },
  },
]

function isTaken(other: string): boolean {
  try {
    Canonical.decode(other)
    return true
  } catch (error) {
    if (error instanceof Decode.DecodeError) return false
    throw error
  }
}
