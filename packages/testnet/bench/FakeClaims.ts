import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { Bytes, Claim, Job, Nonce, P256, type ProviderHttp } from '@counterfoil/protocol'
import * as Sequence from '../../provider/src/store/Sequence.ts'
import * as FakeAnswer from './FakeAnswer.ts'
import * as Params from './Params.ts'

/** One answer under ever new claims of a key's own numbers: what is stored is what counts here, not who signed it. */
export type FakeClaims = { readonly salts: Nonce.Salts; next(): ProviderHttp.End }

/** An answer of 50 tokens, in this epoch. */
export function create(sequence: Sequence.Sequence, epoch: bigint): FakeClaims {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const point = Bytes.concat(Uint8Array.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url'))
  const seat = FakeAnswer.seat({
    domain: Claim.domain(31_337, `0x${'50'.repeat(20)}`),
    provider: `0x${'90'.repeat(20)}`,
    model: `0x${'3d'.repeat(32)}`,
    key: {
      path: '',
      publicKey: Bytes.toHex(point),
      sign: (message) =>
        Bytes.toHex(P256.toLowS(sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }))),
    },
  })
  const nonce = Bytes.toHex(new Uint8Array(randomBytes(32)))
  const salts = Nonce.salts(nonce)
  const job = Job.decode({
    schema: 'counterfoil/job/1',
    model: seat.signedOffer.offer.model,
    messages: [{ role: 'user', content: 'Tell me everything you know about lighthouses, please.' }],
    maxTokens: Params.answerTokens,
    samplerSeed: Nonce.samplerSeed(nonce),
    temperature: 1,
    topP: 1,
    stop: [],
    logprobs: false,
    topLogprobs: 0,
  })
  const answer = FakeAnswer.end(
    seat,
    { channel: Bytes.zero32, offer: Bytes.zero32, job, nonce },
    { sequence: 0n, epoch: 0n },
  )
  const { claim, signature } = answer.receipt
  return {
    salts,
    next() {
      const place = Sequence.take(sequence, epoch)
      const request = Bytes.toHex(new Uint8Array(randomBytes(32)))
      const own = { ...claim, ...place, keyId: sequence.keyId, request }
      return { ...answer, receipt: { ...answer.receipt, signature, claim: own } }
    },
  }
}
