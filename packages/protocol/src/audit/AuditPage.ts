import * as Bytes from '../Bytes.ts'
import * as Claim from '../Claim.ts'
import * as Decode from '../Decode.ts'
import type { ReceiptKey } from '../Key.ts'
import * as P256 from '../P256.ts'
import { outputTokensMax } from '../Params.ts'
import * as Receipt from '../Receipt.ts'
import { statisticBytes } from '../sampled/Params.ts'
import * as Statistic from '../sampled/Statistic.ts'
import * as Audit from './Audit.ts'
import { auditsMax } from './Params.ts'

/**
 * What needs no statistics: the reference tokenises the prompt otherwise than was billed; the text is not that of the
 * trace; the answer ends where neither the tokens nor a limit end it. Each counts as X = 1.
 */
export const faults = ['prompt-tokens', 'text', 'finish'] as const
export type Fault = (typeof faults)[number]

const readHex = Decode.hexUpTo(outputTokensMax * statisticBytes)

/** Statistics as hexadecimal; refused are parts of a token and margins that no scoring gives. */
export function readStatistics(value: unknown, at: string): Bytes.Hex {
  const hex = readHex(value, at)
  Decode.nested(() => Statistic.decode(Bytes.fromHex(hex)))(value, at)
  return hex
}

const readSealed = Decode.object({ state: Decode.literal('sealed'), leaf: Decode.digest })
const readUnused = Decode.object({
  state: Decode.literal('unused'),
  secret: Decode.digest,
  audit: Decode.digest,
})
const readOpened = Decode.object(
  {
    state: Decode.literal('opened'),
    secret: Decode.digest,
    audit: Decode.nested(Audit.decode),
    receipt: Decode.nested(Receipt.fromJson),
    /** 8 bytes a token ({@link Statistic.encode}). */
    statistics: readStatistics,
    /** Whose channel paid: what the stratum `gateway` says. */
    gateway: Decode.address,
    openedAt: Decode.integer(0, Number.MAX_SAFE_INTEGER),
  },
  { fault: Decode.literal(...faults) },
)

export type Opened = ReturnType<typeof readOpened>
/** A place under a commitment: hidden still, shown not to have been selected, or opened with what was found. */
export type Leaf = ReturnType<typeof readSealed> | ReturnType<typeof readUnused> | Opened

const readLeaf: Decode.Reader<Leaf> = (value, at) => {
  const state = typeof value === 'object' && value !== null ? Reflect.get(value, 'state') : undefined
  if (state === 'unused') return readUnused(value, at)
  return state === 'opened' ? readOpened(value, at) : readSealed(value, at)
}

const read = Decode.object({
  schema: Decode.literal('counterfoil/audit-page/1'),
  domain: Decode.digest,
  number: Decode.integer(0, Number.MAX_SAFE_INTEGER),
  leaves: Decode.array(readLeaf, auditsMax),
})

/** All audits of one commitment as far as its auditor shows them; serves histories and can be checked without weights. */
export type AuditPage = ReturnType<typeof read>

export function fromJson(value: unknown): AuditPage {
  return read(value, '$')
}

export function toJson(page: AuditPage): unknown {
  const leaves = page.leaves.map((leaf) =>
    leaf.state === 'opened' ? { ...leaf, receipt: Receipt.toJson(leaf.receipt) } : leaf,
  )
  return { ...page, leaves }
}

export function leafOf(leaf: Leaf): Bytes.Hex {
  if (leaf.state === 'sealed') return leaf.leaf
  const audit = leaf.state === 'unused' ? leaf.audit : Audit.digest(leaf.audit)
  return Audit.leaf({ secret: leaf.secret, audit })
}

/** The receipt keys that {@link check} needs. */
export function keyIds(page: AuditPage): readonly Bytes.Hex[] {
  return [
    ...new Set(page.leaves.flatMap((leaf) => (leaf.state === 'opened' ? leaf.receipt.claim.keyId : []))),
  ]
}

export type Against = {
  readonly domain: Bytes.Hex
  readonly commitment: Audit.Commitment
  /** Undefined while the beacon of this commitment is not out: then every leaf must be sealed. */
  readonly beacon: Bytes.Hex | undefined
  readonly keys: readonly ReceiptKey[]
  readonly p256: P256.P256
}

/**
 * Checks everything of a page that needs no weights: that it is the whole commitment, that the beacon selected what was
 * opened and not what is said to be unused, and that each answer is a signed claim about exactly the committed job.
 * @throws {AuditError} naming the leaf; the statistics themselves are the auditor's word until somebody scores again.
 * @example await AuditPage.check(page, { domain, commitment, beacon, keys, p256 })
 */
export async function check(page: AuditPage, against: Against): Promise<void> {
  const { commitment, domain } = against
  if (page.domain !== domain) fail('domain-mismatch', undefined, `it is of network ${page.domain}`)
  if (page.number !== commitment.number)
    fail('commitment-mismatch', undefined, `it is of commitment ${page.number}, not ${commitment.number}`)
  if (page.leaves.length !== commitment.count)
    fail('commitment-mismatch', undefined, `it has ${page.leaves.length} of ${commitment.count} leaves`)
  if (Audit.root(page.leaves.map(leafOf)) !== commitment.root)
    fail('commitment-mismatch', undefined, `its leaves do not hash to ${commitment.root}`)
  const secrets = new Set<string>()
  for (const [i, leaf] of page.leaves.entries()) {
    if (leaf.state === 'sealed') continue
    if (secrets.has(leaf.secret)) fail('duplicate', i, 'its secret is that of another audit')
    secrets.add(leaf.secret)
    if (against.beacon === undefined) fail('beacon-missing', i, 'it is shown before its beacon is out')
    const isUsed = Audit.isUsed(leaf.secret, against.beacon)
    if (leaf.state === 'unused' && isUsed) fail('not-unused', i, 'the beacon selected it')
    if (leaf.state === 'opened' && !isUsed) fail('not-used', i, 'the beacon did not select it')
    if (leaf.state === 'opened') await checkOpened(leaf, i, { ...against, beacon: against.beacon })
  }
}

async function checkOpened(
  leaf: Opened,
  i: number,
  against: Against & { readonly beacon: Bytes.Hex },
): Promise<void> {
  const { claim, signature } = leaf.receipt
  const expected = Audit.request(leaf.audit, Audit.nonce(leaf.secret, against.beacon))
  if (claim.request !== expected)
    fail('request-mismatch', i, `the claim answers ${claim.request}, the audit asks ${expected}`)
  if (claim.domain !== against.domain) fail('domain-mismatch', i, `the claim is of network ${claim.domain}`)
  if (claim.model !== leaf.audit.job.model) fail('model-mismatch', i, `the claim names model ${claim.model}`)
  const tokens = Statistic.decode(Bytes.fromHex(leaf.statistics)).length
  if (tokens !== claim.usage.outputTokens)
    fail('statistics-length', i, `${tokens} tokens were scored, ${claim.usage.outputTokens} were billed`)
  const key = against.keys.find((one) => one.keyId === claim.keyId)
  if (!key) fail('key-unknown', i, `receipt key ${claim.keyId} is not among those given`)
  if (key.provider !== claim.provider || key.domain !== claim.domain)
    fail('key-unknown', i, `receipt key ${claim.keyId} is not one of ${claim.provider}`)
  const isSigned = await P256.verify(against.p256, {
    message: Claim.encode(claim),
    signature: Bytes.fromHex(signature),
    publicKey: Bytes.fromHex(key.publicKey),
  })
  if (!isSigned) fail('signature-invalid', i, `the claim is not signed by ${claim.keyId}`)
}

function fail(code: AuditErrorCode, leaf: number | undefined, problem: string): never {
  throw new AuditError(code, leaf, problem)
}

export type AuditErrorCode =
  | 'domain-mismatch'
  | 'commitment-mismatch'
  | 'beacon-missing'
  | 'duplicate'
  | 'not-used'
  | 'not-unused'
  | 'request-mismatch'
  | 'model-mismatch'
  | 'statistics-length'
  | 'key-unknown'
  | 'signature-invalid'

/** What an auditor shows does not follow from what it committed to, so nothing of it counts. */
export class AuditError extends Error {
  override readonly name = 'AuditPage.AuditError'
  readonly code: AuditErrorCode
  readonly leaf: number | undefined
  constructor(code: AuditErrorCode, leaf: number | undefined, problem: string) {
    super(`${leaf === undefined ? 'the page' : `audit ${leaf}`} is refused: ${problem} (${code})`)
    this.code = code
    this.leaf = leaf
  }
}
