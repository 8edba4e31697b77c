// Fills a provider's store with claims and their answers, says so, and goes on writing until it is killed.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Bytes, Claim, Job, Key, Nonce, P256 } from '@counterfoil/protocol'
import * as SigningKey from '../../provider/src/SigningKey.ts'
import * as Claims from '../../provider/src/store/Claims.ts'
import * as Sequence from '../../provider/src/store/Sequence.ts'
import * as Store from '../../provider/src/store/Store.ts'
import * as FakeAnswer from './FakeAnswer.ts'
import * as Params from './Params.ts'

const [dir = '', pem = '', count = '0', epoch = '0'] = process.argv.slice(2)
const key = SigningKey.fromPem(readFileSync(pem, 'utf8'))
const store = Store.open(dir)
Store.mark(store)
const sequence = Sequence.open(store, key.keyId)
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

/** The one answer under claims of their own: what is stored is what counts here, not who signed it. */
function next() {
  const { claim, signature } = answer.receipt
  const place = Sequence.take(sequence, BigInt(epoch))
  const request = Bytes.toHex(new Uint8Array(randomBytes(32)))
  return {
    ...answer,
    receipt: { ...answer.receipt, signature, claim: { ...claim, ...place, keyId: key.keyId, request } },
  }
}

const group = 1000
for (let made = 0; made < Number(count); made += group)
  Store.transaction(store, () => {
    // Numbers are reserved in the same transaction here: nobody is told of them before it ends.
    for (let i = 0; i < group; i++) Claims.insert(store, next(), salts)
  })
process.send?.({ ready: true, keyId: Key.id(key.publicKey) })
for (;;) Claims.insert(store, next(), salts)
