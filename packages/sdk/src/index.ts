export { type Answer, AnswerError } from './Answer.ts'
export {
  type AuditOptions,
  type AuditsAbout,
  auditReader,
  type ReadAudits,
  type TrustedAuditor,
} from './AuditReader.ts'
export { ChainError, chainEvidence, type Evidence, type ReadEvidence } from './ChainEvidence.ts'
export { type CheckOptions, check } from './Check.ts'
export * as Demand from './Demand.ts'
export * as EventStream from './EventStream.ts'
export { type Checked, type FollowOptions, follow, isPending } from './Follow.ts'
export {
  fetchModels,
  fetchNetwork,
  fetchTranscript,
  type Gateway,
  GatewayError,
  type ListedModel,
} from './Gateway.ts'
export * as SavedAudits from './SavedAudits.ts'
export { type Options as VerifyingFetchOptions, PolicyError, verifyingFetch } from './VerifyingFetch.ts'
export { NoWebCryptoError, webCryptoP256 } from './WebCryptoP256.ts'
