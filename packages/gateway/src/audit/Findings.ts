import {
  AuditHistory,
  type Bytes,
  Calibration,
  type History,
  SampledParams,
  TrackRecord,
} from '@counterfoil/protocol'
import * as Book from './Book.ts'
import type { Trust } from './Trust.ts'

/** What the audits of one provider on one model and runtime come to under one calibration. */
export type Finding = {
  readonly provider: Bytes.Hex
  readonly calibration: Calibration.Calibration
  /** Seconds from which a later calibration stands in its place. */
  readonly until: number | undefined
  readonly entries: readonly History.Entry[]
  readonly record: TrackRecord.TrackRecord
  /** The manifest's word, and what the calibration may be used for under it. */
  readonly quantization: string
  readonly standing: Calibration.Standing
  /** Chain second of the record's window and age. */
  readonly at: number
}

/**
 * The process of everybody whom the book has met, computed anew from the statistics that auditors opened.
 * @example Findings.fold(book, trust, { seconds, quantization: (model) => 'Q4_1' })
 */
export function fold(
  book: Book.Book,
  trust: Trust,
  about: { readonly seconds: number; readonly quantization: (model: Bytes.Hex) => string },
): readonly Finding[] {
  return Book.subjects(book).flatMap((subject) =>
    AuditHistory.terms(trust.calibrations, subject).flatMap((term) => {
      const entries = Book.entries(book, subject.provider, term)
      return of(entries, { provider: subject.provider, term, trust, ...about })
    }),
  )
}

/** One process; nothing where no audit of it was opened. */
export function of(
  entries: readonly History.Entry[],
  about: {
    readonly provider: Bytes.Hex
    readonly term: AuditHistory.Term
    readonly trust: Trust
    readonly seconds: number
    readonly quantization: (model: Bytes.Hex) => string
  },
): readonly Finding[] {
  if (entries.every(({ state }) => state === 'unopened')) return []
  const { calibration, until } = about.term
  const { machinesMin, auditors } = about.trust
  const record = TrackRecord.fold(entries, {
    calibration,
    stakes: [{ fromCommit: 0, stakes: new Map(auditors.map(({ auditor, stake }) => [auditor, stake])) }],
    now: about.seconds,
    windowSeconds: SampledParams.auditWindowSeconds,
  })
  const quantization = about.quantization(calibration.model)
  const standing = Calibration.standing(calibration, { quantization, machinesMin })
  const { provider, seconds: at } = about
  return [{ provider, calibration, until, entries, record, quantization, standing, at }]
}

/** The audit that convicted, where the calibration may be used at all. */
export function conviction({ record, standing }: Finding): TrackRecord.TrackRecord['convictedAt'] {
  return standing.use === 'refuse' ? undefined : record.convictedAt
}
