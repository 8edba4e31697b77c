import { p256 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import {
  Batch,
  Bytes,
  Claim,
  Digest,
  Eip712,
  Job,
  Key,
  ModelManifest as Manifest,
  type ModelManifest,
  Nonce,
  Offer,
  Output,
  type Receipt,
  Runtime,
  Trace,
  type Transcript,
} from '../src/index.ts'

// One honest answer with everything that belongs to it. Keys come from their names, so that whoever regenerates the vectors
// gets the same bytes; they guard nothing.

const privateKey = (name: string) => Digest.sha256(Bytes.fromText(`counterfoil test key: ${name}`))
const fill = (byte: string): Bytes.Hex => `0x${byte.repeat(32)}`

export const receiptSecret = privateKey('receipt')
export const otherReceiptSecret = privateKey('another receipt')
export const providerSecret = privateKey('provider')
export const payerSecret = privateKey('payer')

export const chainId = 31337
export const providers: Bytes.Hex = '0x5fbdb2315678afecb367f032d93f642f64180aa3'
export const channels: Bytes.Hex = '0xe7f1725e7734ce288f8367e1bb143e90bb3f0512'
export const domain = Claim.domain(chainId, providers)
export const eip712: Eip712.Domain = { chainId, channels }
export const epochSeconds = 600
/** 2026-01-01T00:00:00Z in seconds. */
export const day = 1_767_225_600
export const epoch = Batch.epochAt(day, epochSeconds)

/** Deterministic (RFC 6979), low s. */
export function signP256(message: Uint8Array, secret: Uint8Array = receiptSecret): Bytes.Hex {
  return Bytes.toHex(p256.sign(message, secret, { lowS: true }))
}

export const publicKeyOf = (secret: Uint8Array): Bytes.Hex => Bytes.toHex(p256.getPublicKey(secret, false))
export const addressOf = (secret: Uint8Array): Bytes.Hex =>
  Eip712.address(secp256k1.getPublicKey(secret, false))

export const provider = addressOf(providerSecret)
export const payer = addressOf(payerSecret)
export const publicKey = publicKeyOf(receiptSecret)
export const keyId = Key.id(publicKey)
export const channel = fill('c4')
export const nonce = fill('a5')
export const salts = Nonce.salts(nonce)

export const key: Key.ReceiptKey = {
  domain,
  keyId,
  provider,
  publicKey,
  notBefore: day - 86_400,
  notAfter: day + 30 * 86_400,
}

export const manifest: ModelManifest.ModelManifest = Manifest.decode({
  schema: 'counterfoil/model/1',
  name: 'smollm2-135m-instruct',
  version: '1',
  license: 'Apache-2.0',
  format: 'gguf',
  architecture: 'llama',
  quantization: 'Q4_1',
  contextLength: 8192,
  chatTemplate: Bytes.toHex(Digest.sha256(Bytes.fromText('template'))),
  tokenizer: Bytes.toHex(Digest.sha256(Bytes.fromText('tokenizer'))),
  files: [
    {
      path: 'SmolLM2-135M-Instruct.Q4_1.gguf',
      size: 98_362_432,
      sha256: '0xb179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
      role: 'weights',
    },
  ],
  parents: [],
})
export const model = Manifest.id(manifest)

export const runtime: Runtime.Runtime = Runtime.decode({
  schema: 'counterfoil/runtime/1',
  engine: 'llama.cpp',
  version: 'b7000',
  binary: fill('b1'),
  backend: 'cpu-haswell',
  numerics: { contextLength: 2048, batchSize: 512, threads: 1, flashAttention: false, kvCache: 'f16' },
  sampler: 'gumbel/1',
  grammar: 'none',
  determinism: 'statistical',
})

export const offer: Offer.Offer = {
  domain,
  provider,
  keyId,
  model,
  runtime: Runtime.id(runtime),
  prices: { prompt: 100_000n, cached: 50_000n, output: 400_000n },
  limits: { contextTokens: 2048, outputTokens: 1024 },
  validity: { notBefore: day - 3600, notAfter: day + 86_400 },
  flags: { trace: true },
}
export const signOffer = (one: Offer.Offer, secret: Uint8Array = receiptSecret): Offer.SignedOffer => ({
  offer: one,
  signature: signP256(Offer.message(one), secret),
})
export const signedOffer = signOffer(offer)

export const job: Job.Job = Job.decode({
  schema: 'counterfoil/job/1',
  model,
  messages: [
    { role: 'system', content: 'Answer briefly.' },
    { role: 'user', content: 'What is the capital of Japan?', name: 'ada' },
  ],
  maxTokens: 64,
  samplerSeed: Nonce.samplerSeed(nonce),
  temperature: 0.7,
  topP: 0.95,
  stop: ['\n\n'],
  logprobs: false,
  topLogprobs: 0,
})

/** 40 tokens: more than one leaf of 32. */
export const tokens: readonly Trace.Token[] = Array.from({ length: 40 }, (_, i) => ({
  id: (i * 7919) % 49_152,
  logprob: -((i * 131) % 2048),
}))
export const trace = Trace.encode([tokens])
export const usage = { promptTokens: 31, cachedTokens: 8, outputTokens: tokens.length }

export const output: Output.Output = Output.decode({
  schema: 'counterfoil/output/1',
  choices: [{ message: { role: 'assistant', content: 'The capital of Japan is Tokyo.' }, finish: 'stop' }],
  usage,
})

export const sequence = 5n
export const claim: Claim.Claim = {
  domain,
  provider,
  keyId,
  sequence,
  epoch,
  model,
  runtime: offer.runtime,
  offer: Offer.id(offer),
  request: Job.digest(job, salts.request),
  answer: Output.digest(output, salts.answer),
  trace: Trace.root(trace, salts.trace),
  usage,
  finish: 'stop',
  channel,
  amount: Offer.charge(offer.prices, usage),
  time: { started: day * 1000 + 250, firstToken: day * 1000 + 451, ended: day * 1000 + 987 },
  parents: Bytes.zero32,
  evidence: Bytes.zero32,
}

export const signClaim = (one: Claim.Claim, secret: Uint8Array = receiptSecret): Bytes.Hex =>
  signP256(Claim.encode(one), secret)

/** The leaves of the claim's batch: numbers 3 to 8, two of them unused. */
export const leaves: readonly Bytes.Hex[] = [
  fill('e3'),
  Batch.unused,
  Claim.id(claim),
  fill('e6'),
  Batch.unused,
  fill('e8'),
]
export const root: Batch.BatchRoot = {
  keyId,
  epoch,
  root: Batch.root(leaves),
  first: 3n,
  end: 9n,
  postedAt: day + 700,
  dueAt: Batch.deadline(epoch, epochSeconds),
}

export const receipt: Receipt.Receipt = {
  claim,
  signature: signClaim(claim),
  evidence: [{ kind: 'inclusion', path: Batch.prove(leaves, 2) }],
}

export const transcript: Transcript.Transcript = {
  receipt,
  job,
  output,
  salts,
  trace,
  offer: signedOffer,
  nonceFrom: 'caller',
}
export const now = (day + 1000) * 1000
