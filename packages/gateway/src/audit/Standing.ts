import { type AuditHistory, History, Job, Policy, TrackRecord, Verdict } from '@counterfoil/protocol'
import { conviction, type Finding } from './Findings.ts'

/**
 * Why a provider may not have this caller's work: it is convicted on the model, or does not stand as the policy demands.
 * Nothing where it may. A history must cover prompts of the job's length. Figures age from the second at which they were folded to `seconds()`.
 * @example Standing.objection(findings, offer, { least: 'sampled' }, () => seconds, job)?.code // 'history-missing'
 */
export function objection(
  findings: readonly Finding[],
  { provider, model, runtime }: AuditHistory.Subject,
  policy: Policy.Policy,
  seconds: () => number,
  job?: Job.Job,
): Verdict.Reason | undefined {
  const own = findings.filter((one) => one.provider === provider && one.calibration.model === model)
  // On the model, whatever the runtime: a cheat must not come back under another name of its engine.
  const convicted = own.find((one) => conviction(one))
  if (convicted) return { code: 'convicted', message: `audits convict it${advice(convicted)}` }
  const asked = Verdict.rungs.indexOf(policy.least)
  if (asked < Verdict.rungs.indexOf('sampled')) return undefined
  if (policy.least !== 'sampled')
    return {
      code: 'not-available',
      message: `no evidence of the rung ${policy.least} exists on this network yet`,
    }
  const finding = own.findLast((one) => one.calibration.runtime === runtime && one.until === undefined)
  if (!finding)
    return { code: 'history-missing', message: 'no audit of it under a trusted calibration was opened' }
  const record = { ...finding.record, age: finding.record.age + Math.max(0, seconds() - finding.at) }
  const judged = TrackRecord.judge(record, {
    standing: finding.standing,
    maxAgeSeconds: Policy.maxAgeSeconds(policy),
  })
  if (judged.outcome === 'unknown') return { code: judged.code, message: judged.message }
  const context = job && contextOf(job)
  if (context && !TrackRecord.isCovered(record, context))
    return {
      code: 'history-short',
      message: `too few of its ${record.answers} audited answers had prompts about as long as this one (up to ${context} tokens)`,
    }
  if (judged.errorBound > (policy.maxError ?? 1))
    return {
      code: 'error-bound',
      message: `it holds with a chance of error of ${judged.errorBound}, the policy allows ${policy.maxError}`,
    }
  return undefined
}

/** Without a tokenizer, roughly: the caller's own check knows the number that was billed. */
function contextOf(job: Job.Job): History.Strata['context'] {
  return History.contextOf(Math.ceil(Job.promptTokensMax(job, Number.MAX_SAFE_INTEGER) / bytesPerToken))
}

const bytesPerToken = 4

function advice({ standing }: Finding): string {
  return standing.use === 'advise' ? ` (advisory: ${standing.reason})` : ''
}
