/**
 * The offline verifier: everything that checking a receipt needs, and nothing that reaches a network. Built as one file for
 * browsers by `npm run build -w @counterfoil/sdk`.
 * @example
 * import { Transcript, verify, webCryptoP256 } from '@counterfoil/sdk/verify'
 * const { receipt, ...rest } = Transcript.fromJson(JSON.parse(text))
 * const report = await verify(receipt, { ...rest, keys, roots, policy: { least: 'signed' }, now: Date.now(), p256: webCryptoP256() })
 */
export {
  Batch,
  type Inputs,
  Key,
  Policy,
  Receipt,
  type Report,
  Transcript,
  Verdict,
  verify,
} from '@counterfoil/protocol'
export * as SavedAudits from './SavedAudits.ts'
export { NoWebCryptoError, webCryptoP256 } from './WebCryptoP256.ts'
