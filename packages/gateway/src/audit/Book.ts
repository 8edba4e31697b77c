import {
  type Audit,
  AuditHistory,
  type AuditPage,
  Calibration,
  Canonical,
  type History,
} from '@counterfoil/protocol'
import type { Trust } from './Trust.ts'

/** What is remembered of a checked page: its audits as entries of histories, not its prompts and statistics. */
export type Digest = {
  readonly subjects: readonly AuditHistory.Subject[]
  /** By provider and calibration. */
  readonly entries: ReadonlyMap<string, readonly History.Entry[]>
  readonly unopened: readonly History.Entry[]
  /** Nothing of it is sealed any more. */
  readonly isFinal: boolean
}

/** Every commitment of the trusted auditors in order of their numbers, with what its page shows so far. */
export type Book = Map<number, { readonly commitment: Audit.Commitment; readonly digest: Digest }>

/**
 * A page in short. `undefined` stands for one that nobody has shown: all of it is sealed, so that an auditor gains nothing by
 * keeping a page back.
 */
export function digest(
  commitment: Audit.Commitment,
  page: AuditPage.AuditPage | undefined,
  { calibrations }: Pick<Trust, 'calibrations'>,
): Digest {
  if (!page) {
    const leaves = Array.from({ length: commitment.count }, (_, leaf) => leaf)
    return { subjects: [], entries: new Map(), unopened: unopened(commitment, leaves), isFinal: false }
  }
  const sealed = page.leaves.flatMap((leaf, i) => (leaf.state === 'sealed' ? [i] : []))
  const subjects = AuditHistory.subjects([page])
  const entries = new Map<string, readonly History.Entry[]>()
  for (const { provider, ...about } of subjects)
    for (const { calibration } of AuditHistory.terms(calibrations, about))
      entries.set(
        nameOf(provider, calibration),
        AuditHistory.entries([{ page, commitment }], { provider, calibration }),
      )
  return { subjects, entries, unopened: unopened(commitment, sealed), isFinal: sealed.length === 0 }
}

/** All that the book holds about one provider under one calibration, in order. */
export function entries(
  book: Book,
  provider: AuditHistory.Subject['provider'],
  { calibration, until = Number.POSITIVE_INFINITY }: AuditHistory.Term,
): readonly History.Entry[] {
  const name = nameOf(provider, calibration)
  return [...book.values()]
    .filter(({ commitment: { time } }) => time >= calibration.created && time < until)
    .sort((a, b) => a.commitment.number - b.commitment.number)
    .flatMap(({ digest: one }) => one.entries.get(name) ?? one.unopened)
}

export function subjects(book: Book): readonly AuditHistory.Subject[] {
  const found = new Map<string, AuditHistory.Subject>()
  for (const { digest: one } of book.values())
    for (const subject of one.subjects)
      found.set(`${subject.provider} ${subject.model} ${subject.runtime}`, subject)
  return [...found.values()]
}

/**
 * What is known of a page after another look at it: nothing that was shown once is sealed again.
 * @throws {ContradictionError} where an audit was opened otherwise before.
 */
export function merge(before: AuditPage.AuditPage, now: AuditPage.AuditPage): AuditPage.AuditPage {
  const leaves = now.leaves.map((leaf, i) => {
    const known = before.leaves[i]
    if (!known || known.state === 'sealed') return leaf
    if (leaf.state !== 'sealed' && text(leaf) !== text(known)) throw new ContradictionError(now.number, i)
    return known
  })
  return { ...now, leaves }
}

function text(leaf: AuditPage.Leaf): string {
  return leaf.state === 'opened'
    ? `${leaf.secret} ${leaf.statistics} ${leaf.fault} ${leaf.gateway} ${Canonical.encode(leaf.audit)} ${leaf.receipt.signature}`
    : Canonical.encode(leaf)
}

function unopened(commitment: Audit.Commitment, leaves: readonly number[]): readonly History.Entry[] {
  const { number: commit, auditor } = commitment
  return leaves.map((leaf) => ({ state: 'unopened', commit, leaf, auditor }))
}

function nameOf(provider: string, calibration: Calibration.Calibration): string {
  return `${provider} ${Calibration.id(calibration)}`
}

/** An auditor has shown two different results of one audit. */
export class ContradictionError extends Error {
  override readonly name = 'Book.ContradictionError'
  readonly code = 'contradiction'
  constructor(number: number, leaf: number) {
    super(`audit ${leaf} of commitment ${number} was shown with another result before (contradiction)`)
  }
}
