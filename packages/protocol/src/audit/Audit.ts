import * as Bytes from '../Bytes.ts'
import * as Decode from '../Decode.ts'
import * as Digest from '../Digest.ts'
import * as Job from '../Job.ts'
import * as Merkle from '../Merkle.ts'
import * as Nonce from '../Nonce.ts'
import { languageCharsMax } from '../sampled/Params.ts'
import { useShare } from './Params.ts'

const read = Decode.object({
  schema: Decode.literal('counterfoil/audit/1'),
  /** Primary subtag of BCP 47, the auditor's word. */
  language: Decode.text(languageCharsMax),
  job: Decode.nested(readJob),
})

/** What an audit asks: a job without the seed, which nobody knows before the beacon, and its language. */
export type Audit = ReturnType<typeof read>

/** What an auditor bound itself to on chain: `count` audits, made in block `blockNumber` at second `time`. */
export type Commitment = {
  /** Over all auditors, from 0. */
  readonly number: number
  readonly auditor: Bytes.Hex
  readonly epoch: bigint
  readonly root: Bytes.Hex
  readonly count: number
  readonly blockNumber: bigint
  readonly time: number
}

export function decode(value: unknown): Audit {
  return read(value, '$')
}

/** `H("audit", JCS(audit))` */
export function digest(audit: Audit): Bytes.Hex {
  return Digest.ofJson('audit', audit)
}

/**
 * `H("audit-leaf", secret ‖ digest of the audit)`: hides what is asked until its 32-byte secret is shown.
 * @example Audit.leaf({ secret, audit: Audit.digest(audit) })
 */
export function leaf({
  secret,
  audit,
}: {
  readonly secret: Bytes.Hex
  readonly audit: Bytes.Hex
}): Bytes.Hex {
  return Digest.of('audit-leaf', keyOf(secret), Bytes.fromHex(audit))
}

/** The root that is committed: RFC 9162 over the leaves, each hashed as data. */
export function root(leaves: readonly Bytes.Hex[]): Bytes.Hex {
  return Bytes.toHex(Merkle.root(hashed(leaves)))
}

export function prove(leaves: readonly Bytes.Hex[], index: number): readonly Bytes.Hex[] {
  return Merkle.prove(hashed(leaves), index).map(Bytes.toHex)
}

/** Whether the leaf stands at this place of the commitment. */
export function includes(
  commitment: Pick<Commitment, 'root' | 'count'>,
  at: { readonly leaf: Bytes.Hex; readonly index: number },
  path: readonly Bytes.Hex[],
): boolean {
  return Merkle.verify({
    leaf: Merkle.hashLeaf(Bytes.fromHex(at.leaf)),
    index: BigInt(at.index),
    size: BigInt(commitment.count),
    path: path.map(Bytes.fromHex),
    root: Bytes.fromHex(commitment.root),
  })
}

/**
 * Whether the beacon selects this audit: the first u64 of `HMAC(secret, beacon ‖ "use")` is below half of 2^64. Neither
 * the auditor, who chose the secret before the beacon, nor anybody else can aim it.
 */
export function isUsed(secret: Bytes.Hex, beacon: Bytes.Hex): boolean {
  const bytes = Bytes.fromHex(draw(secret, beacon, 'use'))
  return Bytes.toBigInt(bytes.subarray(0, 8)) < BigInt(useShare * 2 ** 32) << 32n
}

/** The nonce of a selected audit, `HMAC(secret, beacon ‖ "nonce")`: it seeds the sampler, so it must not be chosen. */
export function nonce(secret: Bytes.Hex, beacon: Bytes.Hex): Bytes.Hex {
  return draw(secret, beacon, 'nonce')
}

/** The job that the audit's nonce makes of it. */
export function job(audit: Audit, nonceOf: Bytes.Hex): Job.Job {
  return { ...audit.job, samplerSeed: Nonce.samplerSeed(nonceOf) }
}

/** The receipt's id of a selected audit: what ties a claim to its commitment. */
export function request(audit: Audit, nonceOf: Bytes.Hex): Bytes.Hex {
  return Job.digest(job(audit, nonceOf), Nonce.salts(nonceOf).request)
}

function draw(secret: Bytes.Hex, beacon: Bytes.Hex, what: 'use' | 'nonce'): Bytes.Hex {
  return Bytes.toHex(Digest.hmac(keyOf(secret), Bytes.concat(Bytes.fromHex(beacon), Bytes.fromText(what))))
}

function keyOf(secret: Bytes.Hex): Uint8Array {
  const key = Bytes.fromHex(secret)
  if (key.length !== 32) throw new RangeError(`an audit's secret has 32 bytes, got ${key.length}`)
  return key
}

function hashed(leaves: readonly Bytes.Hex[]): readonly Uint8Array[] {
  return leaves.map((one) => Merkle.hashLeaf(Bytes.fromHex(one)))
}

function readJob(value: unknown): Omit<Job.Job, 'samplerSeed'> {
  if (typeof value === 'object' && value !== null && 'samplerSeed' in value)
    throw new Decode.DecodeError(
      'unknown-field',
      '$.samplerSeed',
      value.samplerSeed,
      'is not a known field: the nonce seeds an audit',
    )
  // An array spread into an object would pass for one.
  const fields = typeof value === 'object' && !Array.isArray(value) ? value : undefined
  if (!fields) throw new Decode.DecodeError('type', '$', value, 'must be an object')
  const { samplerSeed: _, ...rest } = Job.decode({ ...fields, samplerSeed: Bytes.zero32 })
  return rest
}
