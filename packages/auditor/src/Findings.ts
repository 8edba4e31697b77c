import {
  type Audit,
  AuditHistory,
  type AuditPage,
  type Bytes,
  Calibration,
  type History,
  Network,
  PublicProcess,
  SampledParams,
  TrackRecord,
} from '@counterfoil/protocol'
import { type Auditor, terms } from './Auditor.ts'
import * as Params from './Params.ts'
import * as Audits from './store/Audits.ts'
import * as Plans from './store/Plans.ts'
import type { View } from './View.ts'

/** What is known of one provider under one calibration, from this auditor's pages alone. */
export type Finding = {
  readonly provider: Bytes.Hex
  readonly calibration: Calibration.Calibration
  readonly entries: readonly History.Entry[]
  readonly record: TrackRecord.TrackRecord
  readonly standing: Calibration.Standing
}

/** Of a commitment only what judgements need: when each audit was opened, and the entries it makes by subject and calibration. */
type Extract = {
  readonly commitment: Audit.Commitment
  readonly leaves: readonly { readonly state: AuditPage.Leaf['state']; readonly openedAt: number }[]
  readonly subjects: readonly AuditHistory.Subject[]
  readonly entries: ReadonlyMap<string, ReadonlyMap<number, History.Entry>>
}
type Memo = { readonly key: string; readonly findings: readonly Finding[] }
type Known = { readonly extracts: Map<bigint, Extract>; readonly memos: Map<View['viewer'], Memo> }
const all = new WeakMap<Auditor, Known>()

/** All findings of a view; those of readers are as new as the last audit, those of everybody else as the last minute. */
export function list(auditor: Auditor, view: View): readonly Finding[] {
  const known = refreshed(auditor)
  const { version, shown } = auditor
  const key =
    view.viewer === 'reader'
      ? `${version} ${Math.floor(view.seconds / Params.ageSeconds)}`
      : `${shown} ${Math.floor(view.seconds / Params.publicSeconds)}`
  const memo = known.memos.get(view.viewer)
  if (memo?.key === key) return memo.findings
  const findings = compute(auditor, [...known.extracts.values()], view)
  known.memos.set(view.viewer, { key, findings })
  return findings
}

/** The audit that convicted, where the calibration may be used at all. */
export function conviction({ record, standing }: Finding): TrackRecord.TrackRecord['convictedAt'] {
  return standing.use === 'refuse' ? undefined : record.convictedAt
}

/** Whether a leaf of this commitment is not for the eyes of a view yet. */
export function hides(
  { shown }: Pick<Auditor, 'shown'>,
  commitment: Audit.Commitment,
  { viewer, seconds }: View,
): (leaf: { readonly state: AuditPage.Leaf['state']; readonly openedAt?: number }) => boolean {
  if (viewer === 'reader' || commitment.number <= shown) return () => false
  const before = seconds - SampledParams.publicDelaySeconds
  return ({ state, openedAt = 0 }) =>
    state !== 'sealed' && (state === 'opened' ? openedAt : commitment.time) > before
}

/** A finding as it is told in lists: its value as a power of ten only. */
export function summary(finding: Finding): unknown {
  const { provider, calibration, record, standing } = finding
  return {
    provider,
    model: calibration.model,
    calibration: Calibration.id(calibration),
    answers: record.answers,
    tokens: record.tokens,
    unopened: record.unopened,
    age: Number.isFinite(record.age) ? record.age : null,
    rounded: PublicProcess.rounded(record.peak),
    convicted: conviction(finding) !== undefined,
    advisory: standing.use === 'convict' ? null : standing.reason,
  }
}

/** A finding's entries from a commitment on; as many as one history holds. */
export function history(auditor: Auditor, finding: Finding, from: number): History.History {
  return {
    schema: 'counterfoil/history/1',
    domain: Network.domain(auditor.network),
    provider: finding.provider,
    model: finding.calibration.model,
    calibration: Calibration.id(finding.calibration),
    entries: finding.entries
      .filter((entry) => entry.commit >= from)
      .slice(0, SampledParams.historyEntriesMax),
  }
}

function compute(auditor: Auditor, extracts: readonly Extract[], view: View): readonly Finding[] {
  const subjects = new Map(
    extracts.flatMap(({ subjects }) =>
      subjects.map((one) => [`${one.provider} ${one.model} ${one.runtime}`, one]),
    ),
  )
  return [...subjects.values()].flatMap(({ provider, ...answerer }) => {
    const model = auditor.models.find((one) => one.id === answerer.model)
    if (!model) return []
    return terms(auditor, answerer).flatMap(({ calibration, until = Number.POSITIVE_INFINITY }) => {
      const name = nameOf(provider, calibration)
      const entries = extracts.flatMap((extract) => {
        const { time } = extract.commitment
        return time >= calibration.created && time < until ? entriesOf(auditor, extract, { name, view }) : []
      })
      if (entries.every(({ state }) => state === 'unopened')) return []
      const record = TrackRecord.fold(entries, {
        calibration,
        stakes: [{ fromCommit: 0, stakes: new Map([[auditor.chain.auditor, 1]]) }],
        now: view.seconds,
        windowSeconds: SampledParams.auditWindowSeconds,
      })
      const { machinesMin } = auditor
      const standing = Calibration.standing(calibration, { quantization: model.quantization, machinesMin })
      return [{ provider, calibration, entries, record, standing }]
    })
  })
}

/** As {@link AuditHistory.entries} of the page that the view sees. */
function entriesOf(
  auditor: Auditor,
  { commitment, leaves, entries }: Extract,
  { name, view }: { readonly name: string; readonly view: View },
): readonly History.Entry[] {
  const hidden = hides(auditor, commitment, view)
  const own = entries.get(name)
  return leaves.flatMap((leaf, i): readonly History.Entry[] => {
    if (leaf.state === 'sealed' || hidden(leaf))
      return [{ state: 'unopened', commit: commitment.number, leaf: i, auditor: commitment.auditor }]
    const entry = own?.get(i)
    return entry ? [entry] : []
  })
}

/** Reads again the commitments of which something changed. */
function refreshed(auditor: Auditor): Known {
  const known = all.get(auditor) ?? { extracts: new Map<bigint, Extract>(), memos: new Map() }
  if (!all.has(auditor)) {
    all.set(auditor, known)
    for (const plan of Plans.committed(auditor.store, auditor.chain.auditor)) read(auditor, plan, known)
    auditor.stale.clear()
  }
  for (const epoch of auditor.stale) {
    const plan = Plans.ofEpoch(auditor.store, auditor.chain.auditor, epoch)
    if (plan) read(auditor, plan, known)
  }
  auditor.stale.clear()
  return known
}

function read(auditor: Auditor, plan: Plans.Plan, { extracts }: Known): void {
  const { commitment } = plan
  if (!commitment) return
  const leaves = Audits.leavesOf(auditor.store, plan.epoch)
  const page: AuditPage.AuditPage = {
    schema: 'counterfoil/audit-page/1',
    domain: Network.domain(auditor.network),
    number: commitment.number,
    leaves,
  }
  const subjects = AuditHistory.subjects([page])
  const entries = new Map<string, Map<number, History.Entry>>()
  for (const { provider, ...answerer } of subjects)
    for (const { calibration } of terms(auditor, answerer)) {
      const made = AuditHistory.entries([{ page, commitment }], { provider, calibration })
      entries.set(nameOf(provider, calibration), new Map(made.map((entry) => [entry.leaf, entry])))
    }
  extracts.set(plan.epoch, {
    commitment,
    leaves: leaves.map((leaf) => ({
      state: leaf.state,
      openedAt: leaf.state === 'opened' ? leaf.openedAt : 0,
    })),
    subjects,
    entries,
  })
}

function nameOf(provider: Bytes.Hex, calibration: Calibration.Calibration): string {
  return `${provider} ${Calibration.id(calibration)}`
}
