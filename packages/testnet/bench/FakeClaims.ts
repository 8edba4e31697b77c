import { randomBytes } from 'node:crypto'
import { Bytes, type Nonce, type ProviderHttp } from '@counterfoil/protocol'
import * as Sequence from '../../provider/src/store/Sequence.ts'
import * as FakeTranscript from './FakeTranscript.ts'

/** One answer under ever new claims of a key's own numbers: what is stored is what counts here, not who signed it. */
export type FakeClaims = { readonly salts: Nonce.Salts; next(): ProviderHttp.End }

/** An answer of 50 tokens, in this epoch. */
export function create(sequence: Sequence.Sequence, epoch: bigint): FakeClaims {
  const { transcript } = FakeTranscript.create({ sequence: 0n, epoch: 0n })
  const { receipt, output, trace, salts } = transcript
  return {
    salts,
    next() {
      const place = Sequence.take(sequence, epoch)
      const request = Bytes.toHex(new Uint8Array(randomBytes(32)))
      const claim = { ...receipt.claim, ...place, keyId: sequence.keyId, request }
      return { receipt: { ...receipt, claim }, output, trace }
    },
  }
}
