import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { Bytes, Claim, Job, Nonce, P256, type Transcript } from '@counterfoil/protocol'
import type { ReceiptKey } from '../src/Secrets.ts'
import * as FakeAnswer from './FakeAnswer.ts'
import * as Params from './Params.ts'

/** What the payer of one answer of 50 tokens holds; provider, model and key were made up for it. */
export type FakeTranscript = {
  readonly seat: FakeAnswer.FakeSeat
  readonly transcript: Transcript.Transcript
}

/** Its claim stands at this place of the key's numbers. */
export function create(place: { readonly sequence: bigint; readonly epoch: bigint }): FakeTranscript {
  const seat = FakeAnswer.seat({
    domain: Claim.domain(31_337, `0x${'50'.repeat(20)}`),
    provider: `0x${'90'.repeat(20)}`,
    model: `0x${'3d'.repeat(32)}`,
    key: receiptKey(),
  })
  const nonce = Bytes.toHex(new Uint8Array(randomBytes(32)))
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
  const post = { channel: Bytes.zero32, offer: Bytes.zero32, job, nonce }
  const end = FakeAnswer.end(seat, post, place)
  return {
    seat,
    transcript: { ...end, job, salts: Nonce.salts(nonce), offer: seat.signedOffer, nonceFrom: 'caller' },
  }
}

/** A key that stands in no file. */
function receiptKey(): ReceiptKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const point = Bytes.concat(Uint8Array.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url'))
  return {
    path: '',
    publicKey: Bytes.toHex(point),
    sign: (message) =>
      Bytes.toHex(P256.toLowS(sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }))),
  }
}
