import type * as Bytes from '../Bytes.ts'
import * as Decode from '../Decode.ts'
import * as Calibration from '../sampled/Calibration.ts'
import { ppm } from '../sampled/Params.ts'
import * as Transcript from '../Transcript.ts'
import * as Audit from './Audit.ts'
import { faults, readStatistics } from './AuditPage.ts'
import { auditsMax, pathDigestsMax, xTolerancePpm } from './Params.ts'

const read = Decode.object(
  {
    schema: Decode.literal('counterfoil/audit-bundle/1'),
    domain: Decode.digest,
    /** The commitment's number, the audit's place under it and the digests beside its path. */
    number: Decode.integer(0, Number.MAX_SAFE_INTEGER),
    leaf: Decode.integer(0, auditsMax - 1),
    path: Decode.array(Decode.digest, pathDigestsMax),
    secret: Decode.digest,
    audit: Decode.nested(Audit.decode),
    beacon: Decode.digest,
    transcript: Decode.nested(Transcript.fromJson),
    calibration: Decode.nested(Calibration.decode),
    statistics: readStatistics,
    x: Decode.integer(0, ppm),
  },
  { fault: Decode.literal(...faults) },
)

/** All that anybody needs, besides the weights and the chain, to find out for himself whether an audit found what it says. */
export type AuditBundle = ReturnType<typeof read>

export function fromJson(value: unknown): AuditBundle {
  return read(value, '$')
}

export function toJson(bundle: AuditBundle): unknown {
  return { ...bundle, transcript: Transcript.toJson(bundle.transcript) }
}

/** Whether the bundle's audit stands at its place under this commitment. */
export function isCommitted(bundle: AuditBundle, commitment: Audit.Commitment): boolean {
  const leaf = Audit.leaf({ secret: bundle.secret, audit: Audit.digest(bundle.audit) })
  return Audit.includes(commitment, { leaf, index: bundle.leaf }, bundle.path)
}

/**
 * Whether scoring again confirms the stated X: one's own (millionths) differs by at most a tenth and is at least half of
 * it. The second matters most: answers that state X = 0.1 without reason would convict an honest provider in six.
 * @example AuditBundle.agrees({ x: 90_000 }, 30_000) // false
 */
export function agrees({ x }: Pick<AuditBundle, 'x'>, own: number): boolean {
  return Math.abs(own - x) <= xTolerancePpm && 2 * own >= x
}

/** The nonce that the beacon gives the bundle's audit; undefined when it did not select it. */
export function nonce(bundle: Pick<AuditBundle, 'secret'>, beacon: Bytes.Hex): Bytes.Hex | undefined {
  return Audit.isUsed(bundle.secret, beacon) ? Audit.nonce(bundle.secret, beacon) : undefined
}
