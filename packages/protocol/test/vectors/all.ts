import { calibration, history, sampled } from '../sampled/vectors.ts'
import { access } from './access.ts'
import { audit } from './audit.ts'
import { batch } from './batch.ts'
import { canonicalJson } from './canonicalJson.ts'
import { claim } from './claim.ts'
import { job } from './job.ts'
import { key } from './key.ts'
import { merkle } from './merkle.ts'
import { modelManifest } from './modelManifest.ts'
import { network } from './network.ts'
import { nonce } from './nonce.ts'
import { offer } from './offer.ts'
import { output } from './output.ts'
import { receipt } from './receipt.ts'
import { runtime } from './runtime.ts'
import { sampler } from './sampler.ts'
import { trace } from './trace.ts'
import { transcript } from './transcript.ts'
import type { Vectors } from './Vectors.ts'
import { verdict } from './verdict.ts'
import { voucher } from './voucher.ts'

/** Every noun's vectors by the folder they are written to, which has the name of the noun's page. */
export const all: Readonly<Record<string, Vectors>> = {
  access,
  audit,
  batch,
  calibration,
  'canonical-json': canonicalJson,
  claim,
  history,
  job,
  key,
  merkle,
  'model-manifest': modelManifest,
  network,
  nonce,
  offer,
  output,
  receipt,
  runtime,
  sampled,
  sampler,
  trace,
  transcript,
  verdict,
  voucher,
}
