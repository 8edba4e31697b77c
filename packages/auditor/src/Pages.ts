import {
  Audit,
  type AuditBundle,
  AuditHistory,
  AuditPage,
  type Bytes,
  Calibration,
  Claim,
  type History,
  Network,
  PublicProcess,
  SampledParams,
  TrackRecord,
} from '@counterfoil/protocol'
import { type Auditor, calibrationAt, terms } from './Auditor.ts'
import * as Audits from './store/Audits.ts'
import * as Plans from './store/Plans.ts'

/** Who looks: readers whom the operator named see what is found at once, everybody else a day later. */
export type Viewer = 'reader' | 'anybody'

/** What is known of one provider under one calibration, from this auditor's pages alone. */
export type Finding = {
  readonly provider: Bytes.Hex
  readonly calibration: Calibration.Calibration
  readonly entries: readonly History.Entry[]
  readonly record: TrackRecord.TrackRecord
  readonly standing: Calibration.Standing
}

type Known = { readonly pages: readonly AuditHistory.Checked[]; readonly findings: readonly Finding[] }
const memos = new WeakMap<
  Auditor,
  { readonly version: number; readonly seconds: number; readonly known: Known }
>()

/** Everything, as the auditor itself sees it at this second of chain time. */
export function known(auditor: Auditor, seconds: number): Known {
  const memo = memos.get(auditor)
  if (memo && memo.version === auditor.version && memo.seconds === seconds) return memo.known
  const pages = Plans.committed(auditor.store, auditor.chain.auditor).flatMap((plan) => {
    const page = pageOf(auditor, plan)
    return page && plan.commitment ? [{ page, commitment: plan.commitment }] : []
  })
  const found = { pages, findings: findingsOf(auditor, pages, seconds) }
  memos.set(auditor, { version: auditor.version, seconds, known: found })
  return found
}

/**
 * What a viewer may see: for anybody, what was opened within the last day is sealed, except that a conviction opens every
 * commitment up to its own, so that everybody can follow it.
 */
export function visible(auditor: Auditor, viewer: Viewer, seconds: number): readonly AuditHistory.Checked[] {
  const { pages, findings: all } = known(auditor, seconds)
  if (viewer === 'reader') return pages
  const shown = Math.max(-1, ...all.map((finding) => conviction(finding)?.commit ?? -1))
  const before = seconds - SampledParams.publicDelaySeconds
  return pages.map(({ page, commitment }) => {
    if (commitment.number <= shown) return { page, commitment }
    const leaves = page.leaves.map((leaf) => {
      if (leaf.state === 'sealed') return leaf
      const since = leaf.state === 'opened' ? leaf.openedAt : commitment.time
      return since <= before ? leaf : ({ state: 'sealed', leaf: AuditPage.leafOf(leaf) } as const)
    })
    return { commitment, page: { ...page, leaves } }
  })
}

export function findings(auditor: Auditor, viewer: Viewer, seconds: number): readonly Finding[] {
  if (viewer === 'reader') return known(auditor, seconds).findings
  return findingsOf(auditor, visible(auditor, viewer, seconds), seconds)
}

/** The audit that convicted, where the calibration may be used at all. */
export function conviction({ record, standing }: Finding): TrackRecord.TrackRecord['convictedAt'] {
  return standing.use === 'refuse' ? undefined : record.convictedAt
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

/** The last entries of a finding as a history; older ones are in earlier pages (`before`, exclusive). */
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

/** The bundle of an opened audit that the viewer may see. */
export function bundle(
  auditor: Auditor,
  claimId: Bytes.Hex,
  viewer: Viewer,
  seconds: number,
): AuditBundle.AuditBundle | undefined {
  const row = Audits.ofClaim(auditor.store, claimId)
  const seen = visible(auditor, viewer, seconds).find(({ page, commitment }) => {
    const leaf = commitment.epoch === row?.epoch ? page.leaves[row.leaf] : undefined
    return leaf?.state === 'opened' && Claim.id(leaf.receipt.claim) === claimId
  })
  const plan = seen && Plans.find(auditor.store, auditor.chain.auditor, seen.commitment.number)
  if (!row?.transcript || !row.statistics || !seen || plan?.beacon === undefined) return undefined
  const calibration = calibrationAt(auditor, row.transcript.receipt.claim, seen.commitment.time)
  if (!calibration) return undefined
  const leaves = Audits.ofPlan(auditor.store, row.epoch).map(leafDigest)
  return {
    schema: 'counterfoil/audit-bundle/1',
    domain: Network.domain(auditor.network),
    number: seen.commitment.number,
    leaf: row.leaf,
    path: Audit.prove(leaves, row.leaf),
    secret: row.secret,
    audit: row.audit,
    beacon: plan.beacon,
    transcript: row.transcript,
    calibration,
    statistics: row.statistics,
    x: AuditHistory.x({ statistics: row.statistics, fault: row.fault }, calibration.logprobFactor),
    ...(row.fault && { fault: row.fault }),
  }
}

function findingsOf(
  auditor: Auditor,
  pages: readonly AuditHistory.Checked[],
  seconds: number,
): readonly Finding[] {
  const subjects = AuditHistory.subjects(pages.map((one) => one.page))
  return subjects.flatMap((subject) => {
    const model = auditor.models.find((one) => one.id === subject.model)
    if (!model) return []
    const { quantization } = model
    const { provider } = subject
    return terms(auditor, subject).flatMap(({ calibration, until }) => {
      const entries = AuditHistory.entries(pages, { provider, calibration, until })
      if (entries.every(({ state }) => state === 'unopened')) return []
      const record = TrackRecord.fold(entries, {
        calibration,
        stakes: [{ fromCommit: 0, stakes: new Map([[auditor.chain.auditor, 1]]) }],
        now: seconds,
        windowSeconds: windowSeconds,
      })
      const standing = Calibration.standing(calibration, { quantization, machinesMin: auditor.machinesMin })
      return [{ provider, calibration, entries, record, standing }]
    })
  })
}

/** Seven days, as in spec/history.md. */
const windowSeconds = 7 * 86_400

function pageOf(auditor: Auditor, plan: Plans.Plan): AuditPage.AuditPage | undefined {
  if (!plan.commitment) return undefined
  return {
    schema: 'counterfoil/audit-page/1',
    domain: Network.domain(auditor.network),
    number: plan.commitment.number,
    leaves: Audits.ofPlan(auditor.store, plan.epoch).map(toLeaf),
  }
}

function toLeaf(row: Audits.Row): AuditPage.Leaf {
  const { secret, audit, transcript, statistics, gateway, openedAt, fault } = row
  if (row.state === 'unused') return { state: 'unused', secret, audit: Audit.digest(audit) }
  if (row.state !== 'opened' || !transcript || !statistics || !gateway || openedAt === undefined)
    return { state: 'sealed', leaf: leafDigest(row) }
  const { receipt } = transcript
  return { state: 'opened', secret, audit, receipt, statistics, gateway, openedAt, ...(fault && { fault }) }
}

function leafDigest({ secret, audit }: Pick<Audits.Row, 'secret' | 'audit'>): Bytes.Hex {
  return Audit.leaf({ secret, audit: Audit.digest(audit) })
}
