import {
  AuditPage,
  type Bytes,
  Calibration,
  type History,
  PublicProcess,
  SampledParams,
  TrackRecord,
} from '@counterfoil/protocol'
import * as Findings from './Findings.ts'
import * as Params from './Params.ts'
import type { Watch } from './Watch.ts'

// What everybody may see: what was found `delaySeconds` ago, values as powers of ten; of the convicted everything at once.

type At = { readonly seconds: number; readonly quantization: (model: Bytes.Hex) => string }
type Known = readonly Findings.Finding[]
const memos = new WeakMap<Known, { readonly at: number; readonly shown: Known }>()

/** The findings as they stood so long ago, except that a conviction opens its provider's audits to all. */
export function findings(watch: Watch, at: At): Known {
  const own = watch.findings()
  const memo = memos.get(own)
  if (memo && at.seconds - memo.at < Params.publicFreshSeconds) return memo.shown
  const shown = fold(watch, at)
  memos.set(own, { at: at.seconds, shown })
  return shown
}

function fold(watch: Watch, at: At): Known {
  const before = at.seconds - watch.trust.delaySeconds
  return watch.findings().flatMap((finding) => {
    if (Findings.conviction(finding)) return [finding]
    const { provider, calibration, until } = finding
    const entries = finding.entries.map(
      (entry): History.Entry =>
        entry.state === 'opened' && entry.openedAt > before
          ? { state: 'unopened', commit: entry.commit, leaf: entry.leaf, auditor: entry.auditor }
          : entry,
    )
    return Findings.of(entries, { provider, term: { calibration, until }, trust: watch.trust, ...at })
  })
}

/** A finding in a list. `standing` is what a policy without limits of its own would make of it. */
export function summary(finding: Findings.Finding): unknown {
  const { provider, calibration, record, standing } = finding
  const judged = TrackRecord.judge(record, {
    standing,
    maxAgeSeconds: SampledParams.auditWindowSeconds,
  })
  return {
    provider,
    model: calibration.model,
    runtime: calibration.runtime,
    calibration: Calibration.id(calibration),
    outcome: judged.outcome,
    reason: judged.outcome === 'unknown' ? { code: judged.code, message: judged.message } : null,
    errorBound: judged.outcome === 'unknown' ? null : judged.errorBound,
    answers: record.answers,
    tokens: record.tokens,
    unopened: record.unopened,
    age: Number.isFinite(record.age) ? record.age : null,
    smallestDetectablePpm: record.smallestDetectable ?? null,
    strata: Object.fromEntries(
      Object.entries(record.strata).map(([name, tokens]) => [name, Object.fromEntries(tokens)]),
    ),
    rounded: PublicProcess.rounded(record.peak),
    convicted: Findings.conviction(finding) !== undefined,
    advisory: standing.use === 'convict' ? null : standing.reason,
  }
}

/** A finding as a history, from a commitment on. */
export function history(domain: Bytes.Hex, finding: Findings.Finding, from: number): History.History {
  return {
    schema: 'counterfoil/history/1',
    domain,
    provider: finding.provider,
    model: finding.calibration.model,
    calibration: Calibration.id(finding.calibration),
    entries: finding.entries.filter(({ commit }) => commit >= from).slice(0, SampledParams.historyEntriesMax),
  }
}

/** A page with what is too young sealed again; up to the last conviction nothing is. */
export function page(
  watch: Watch,
  { page: whole, time }: { readonly page: AuditPage.AuditPage; readonly time: number },
  seconds: number,
): AuditPage.AuditPage {
  const shown = Math.max(-1, ...watch.findings().map((one) => Findings.conviction(one)?.commit ?? -1))
  const before = seconds - watch.trust.delaySeconds
  if (whole.number <= shown) return whole
  const leaves = whole.leaves.map((leaf) => {
    if (leaf.state === 'sealed') return leaf
    const since = leaf.state === 'opened' ? leaf.openedAt : time
    return since <= before ? leaf : ({ state: 'sealed', leaf: AuditPage.leafOf(leaf) } as const)
  })
  return { ...whole, leaves }
}
