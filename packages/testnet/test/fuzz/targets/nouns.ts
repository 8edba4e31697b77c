import {
  Access,
  Audit,
  AuditBundle,
  AuditPage,
  Batch,
  Bytes,
  Calibration,
  Claim,
  History,
  Job,
  Key,
  ModelManifest,
  Network,
  Offer,
  Output,
  Policy,
  ProviderHttp,
  Receipt,
  Runtime,
  Trace,
  Transcript,
  Voucher,
} from '@counterfoil/protocol'
import * as Arbitrary from '../../../../protocol/test/Arbitrary.ts'
import * as Example from '../../../../protocol/test/Example.ts'
import { read } from '../../../../protocol/test/vectors/read.ts'
import { noun } from '../Decoder.ts'
import type { Target } from '../Target.ts'
import * as Audits from './Audited.ts'

// Every noun that comes as JSON.

/** What a folder of vectors calls its valid JSON. */
const fromVectors = (name: string, field: string): readonly unknown[] =>
  read<Readonly<Record<string, unknown>>>(name, 'valid').flatMap((one) =>
    one[field] === undefined ? [] : [one[field]],
  )

const same = <T>(value: T): T => value
const jobs = { optional: ['name'], fractions: ['temperature', 'topP'], texts: ['name', 'content', 'stop'] }
const outputs = {
  optional: ['logprobs'],
  texts: ['content', 'token'],
  lengths: ['bytes', 'choices'],
}
const merged = {
  optional: [...jobs.optional, ...outputs.optional, 'fault'],
  fractions: jobs.fractions,
  texts: [...jobs.texts, ...outputs.texts, 'language', 'reason', 'message'],
  lengths: [...outputs.lengths, 'statistics'],
}

const { samplerSeed: _, ...template } = Example.job
const logprobs = [
  { token: 'a', bytes: '0x61', logprob: -7, top: [{ token: 'b', bytes: '0x62', logprob: -9 }] },
]
const withLogprobs = {
  ...Example.output,
  choices: Example.output.choices.map((choice) => ({ ...choice, logprobs })),
}
const end = { receipt: Example.receipt, output: Example.output, trace: Example.trace }
const voucher = Voucher.sign(
  { channel: Example.channel, model: Example.model, cumulative: 12n, epoch: 7n },
  Example.eip712,
  Example.payerSecret,
)
const access = Access.sign(
  { channel: Example.channel, payee: Example.provider, challenge: Bytes.zero32, expires: Example.day },
  Example.eip712,
  Example.payerSecret,
)

export const nouns: readonly Target[] = [
  noun({
    name: 'claim',
    decode: Claim.fromJson,
    encode: Claim.toJson,
    examples: [Claim.toJson(Example.claim)],
    honest: Arbitrary.claim,
  }),
  noun({
    name: 'receipt',
    decode: Receipt.fromJson,
    encode: Receipt.toJson,
    examples: [Receipt.toJson(Example.receipt)],
    honest: Arbitrary.receipt,
  }),
  noun({
    name: 'offer',
    decode: Offer.fromJson,
    encode: Offer.toJson,
    examples: [Offer.toJson(Example.signedOffer)],
  }),
  noun({
    name: 'voucher',
    decode: Voucher.fromJson,
    encode: Voucher.toJson,
    examples: [Voucher.toJson(voucher)],
  }),
  noun({ name: 'access', decode: Access.fromJson, encode: same, examples: [access] }),
  noun({
    name: 'job',
    decode: Job.decode,
    encode: same,
    examples: [Example.job, ...fromVectors('job', 'job')],
    honest: Arbitrary.job,
    loose: jobs,
  }),
  noun({
    name: 'output',
    decode: Output.decode,
    encode: same,
    examples: [Example.output, withLogprobs],
    honest: Arbitrary.output,
    loose: outputs,
  }),
  noun({
    name: 'trace',
    decode: Trace.fromJson,
    encode: same,
    examples: [Example.trace, { choices: [] }],
    honest: Arbitrary.tokens.map((tokens) => Trace.encode([tokens])),
    loose: outputs,
  }),
  noun({
    name: 'transcript',
    decode: Transcript.fromJson,
    encode: Transcript.toJson,
    examples: [Transcript.toJson(Example.transcript)],
    loose: merged,
  }),
  noun({
    name: 'model manifest',
    decode: ModelManifest.decode,
    encode: same,
    examples: [Example.manifest, ...fromVectors('model-manifest', 'manifest')],
    loose: { texts: ['version', 'name', 'license', 'architecture', 'quantization', 'path'] },
  }),
  noun({
    name: 'runtime',
    decode: Runtime.decode,
    encode: same,
    examples: [Example.runtime],
    loose: { texts: ['version'] },
  }),
  noun({
    name: 'network',
    decode: Network.fromJson,
    encode: same,
    examples: fromVectors('network', 'network'),
    loose: { texts: ['name', 'rpc'] },
  }),
  noun({
    name: 'policy',
    decode: Policy.decode,
    encode: same,
    examples: [{ least: 'sampled', maxError: 1e-6, maxAge: '7d' }, { least: 'signed' }],
    loose: { optional: ['maxError', 'maxAge'], fractions: ['maxError'] },
  }),
  noun({ name: 'receipt key', decode: Key.fromJson, encode: same, examples: [Example.key] }),
  noun({
    name: 'batch root',
    decode: Batch.fromJson,
    encode: Batch.toJson,
    examples: [Batch.toJson(Example.root)],
  }),
  noun({
    name: 'audit',
    decode: Audit.decode,
    encode: same,
    examples: [{ schema: 'counterfoil/audit/1', language: 'en', job: template }],
    loose: { ...merged },
  }),
  noun({
    name: 'audit page',
    decode: AuditPage.fromJson,
    encode: AuditPage.toJson,
    examples: [AuditPage.toJson(Audits.page)],
    loose: merged,
  }),
  noun({
    name: 'audit bundle',
    decode: AuditBundle.fromJson,
    encode: AuditBundle.toJson,
    examples: [AuditBundle.toJson(Audits.bundle)],
    loose: merged,
  }),
  noun({
    name: 'calibration',
    decode: Calibration.decode,
    encode: same,
    examples: fromVectors('calibration', 'calibration'),
    honest: Audits.calibrations,
  }),
  noun({
    name: 'history',
    decode: History.decode,
    encode: same,
    examples: fromVectors('history', 'history'),
    loose: merged,
  }),
  noun({
    name: 'provider: job',
    decode: (json) => ProviderHttp.readJobPost(json, '$'),
    encode: same,
    examples: [
      { channel: Example.channel, offer: Example.claim.offer, job: Example.job, nonce: Example.nonce },
    ],
    loose: jobs,
  }),
  noun({
    name: 'provider: vouchers',
    decode: (json) => ProviderHttp.readVoucherPost(json, '$'),
    encode: ProviderHttp.voucherPostToJson,
    examples: [
      {
        voucher: Voucher.toJson(voucher),
        accepts: [Claim.id(Example.claim)],
        refuses: [{ claimId: Bytes.zero32, reason: 'charge-mismatch' }],
      },
    ],
    loose: merged,
  }),
  noun({
    name: 'provider: channel',
    decode: (json) => ProviderHttp.readChannelState(json, '$'),
    encode: ProviderHttp.channelStateToJson,
    examples: [
      ProviderHttp.channelStateToJson({
        ...{ channel: Example.channel, deposit: 1n, paid: 2n, exposure: 3n, credit: 4n, vouchers: [voucher] },
      }),
    ],
  }),
  noun({
    name: 'provider: unpaid',
    decode: (json) => ProviderHttp.readUnpaid(json, '$'),
    encode: ({ claims }) => ({ claims: claims.map(ProviderHttp.endToJson) }),
    examples: [{ claims: [ProviderHttp.endToJson(end)] }],
    loose: merged,
  }),
  noun({
    name: 'provider: offers',
    decode: (json) => ProviderHttp.readOffers(json, '$'),
    encode: ({ offers }) => ({ offers: offers.map(Offer.toJson) }),
    examples: [{ offers: [Offer.toJson(Example.signedOffer)] }],
  }),
  noun({
    name: 'provider: batch',
    decode: (json) => ProviderHttp.readBatch(json, '$'),
    encode: (batch) => ({ ...batch, first: `${batch.first}` }),
    examples: [{ first: '3', leaves: Example.leaves }],
  }),
  noun({
    name: 'provider: token',
    decode: (json) => ProviderHttp.readToken(json, '$'),
    encode: same,
    examples: [{ token: 'abc', expires: 12 }],
  }),
]
