import type * as Calibration from './Calibration.ts'
import * as Detectable from './Detectable.ts'
import type * as History from './History.ts'
import { calibrationError, convictionValue, detectableMaxPpm, ppm } from './Params.ts'
import * as PublicProcess from './PublicProcess.ts'

/**
 * What a provider's audits on one model come to. `value` is the evidence now, `peak` the highest it ever was,
 * `convictedAt` the audit at which it reached the threshold. Of the window: answers and tokens opened, audits committed
 * but not opened, tokens by stratum, answers by length of the prompt, and the smallest share of false answers, in millionths, that would have convicted.
 * `age` is the time in seconds since the newest audit; Infinity where there is none.
 */
export type TrackRecord = {
  readonly value: number
  readonly peak: number
  readonly convictedAt: { readonly commit: number; readonly leaf: number } | undefined
  readonly answers: number
  readonly tokens: number
  readonly unopened: number
  readonly strata: Readonly<Record<keyof History.Strata, ReadonlyMap<string, number>>>
  readonly answersByContext: ReadonlyMap<History.Strata['context'], number>
  readonly age: number
  readonly smallestDetectable: number | undefined
}

/** Stakes of the auditors from a commitment on: those that stood when it was made. In ascending order. */
export type StakeChange = { readonly fromCommit: number; readonly stakes: PublicProcess.Stakes }

/**
 * Reads all audits of one provider and model, in order ({@link History.merge}), as one public process. The figures of
 * the window cover the last `windowSeconds` before `now` (chain seconds); the evidence covers everything.
 * @example TrackRecord.fold(History.merge(pages), { calibration, stakes: [{ fromCommit: 0, stakes }], now, windowSeconds: 604_800 })
 */
export function fold(
  entries: readonly History.Entry[],
  input: {
    readonly calibration: Calibration.Calibration
    readonly stakes: readonly StakeChange[]
    readonly now: number
    readonly windowSeconds: number
  },
): TrackRecord {
  const { calibration, now, windowSeconds } = input
  let process = PublicProcess.start
  let convictedAt: TrackRecord['convictedAt']
  let change = 0
  for (const entry of entries) {
    for (let due = input.stakes[change]; due && due.fromCommit <= entry.commit; due = input.stakes[change]) {
      process = PublicProcess.withStakes(process, due.stakes)
      change += 1
    }
    const x = entry.state === 'opened' ? entry.x : 0
    process = PublicProcess.next(process, {
      auditor: entry.auditor,
      commit: entry.commit,
      x,
      mean: calibration.mu0,
    })
    if (!convictedAt && PublicProcess.isConvicted(process))
      convictedAt = { commit: entry.commit, leaf: entry.leaf }
  }
  // What says it was opened later than now is not news: it must not keep a history young for ever.
  const newest = entries
    .map(openedAt)
    .filter((time) => time <= now)
    .reduce((latest, time) => Math.max(latest, time), Number.NEGATIVE_INFINITY)
  return {
    value: PublicProcess.value(process),
    peak: process.peak,
    convictedAt,
    ...window(entries, { from: now - windowSeconds, to: now, mean: calibration.mu0 }),
    age: now - newest,
  }
}

/** What the figures of a window say, and why; the codes are those of a verdict's reason. */
export type Judgement =
  | {
      readonly outcome: 'holds' | 'fails'
      readonly advisory: string | undefined
      readonly errorBound: number
    }
  | {
      readonly outcome: 'unknown'
      readonly code: 'history-missing' | 'history-short' | 'history-old' | 'calibration-refused'
      readonly message: string
    }

/**
 * Chance that an honest provider is ever convicted: of its process reaching the threshold, and of a calibration that is too
 * low. That a verdict `holds` misses a provider that gives a quarter of its answers falsely is another chance: 5 %.
 */
export const errorBound = 1 / convictionValue + calibrationError

/**
 * `fails` when convicted, `holds` only when audits are recent and many enough to have convicted a provider that gives a
 * quarter of its answers falsely, `unknown` otherwise. `advisory` says why nothing may be done about it, if so.
 */
export function judge(
  record: TrackRecord,
  asked: { readonly standing: Calibration.Standing; readonly maxAgeSeconds: number },
): Judgement {
  const { standing, maxAgeSeconds } = asked
  const unknown = (code: Extract<Judgement, { outcome: 'unknown' }>['code'], message: string): Judgement => ({
    outcome: 'unknown',
    code,
    message,
  })
  if (standing.use === 'refuse') return unknown('calibration-refused', standing.reason)
  const advisory = standing.use === 'advise' ? standing.reason : undefined
  if (record.convictedAt) return { outcome: 'fails', advisory, errorBound }
  if (record.answers === 0)
    return unknown('history-missing', 'no audit of this provider and model was opened')
  if (record.age > maxAgeSeconds)
    return unknown(
      'history-old',
      `the newest audit is ${record.age} s old, at most ${maxAgeSeconds} s is asked`,
    )
  const { smallestDetectable: share } = record
  if (share === undefined || share > detectableMaxPpm)
    return unknown(
      'history-short',
      `${record.answers} audited answers would miss a provider that gives ${share === undefined ? 'all' : `${percent(share)} %`} of its answers falsely; ${percent(detectableMaxPpm)} % must be found`,
    )
  return { outcome: 'holds', advisory, errorBound }
}

/**
 * Whether so many audits had prompts of this length that a provider would have been convicted had it answered all of these
 * falsely and none of the others.
 */
export function isCovered(record: TrackRecord, context: History.Strata['context']): boolean {
  const { smallestDetectable: share, answers, answersByContext } = record
  return share !== undefined && (answersByContext.get(context) ?? 0) * ppm >= share * answers
}

/** The smallest detectable effect in words, for a verdict. */
export function describe(record: TrackRecord): string {
  const { smallestDetectable: share } = record
  if (share === undefined) return 'nothing yet: too few audits'
  return `${percent(share)} % of answers wholly from other weights or another sampler would have convicted with 95 % probability, over ${record.answers} audited answers of ${record.tokens} tokens`
}

function window(
  entries: readonly History.Entry[],
  { from, to, mean }: { readonly from: number; readonly to: number; readonly mean: number },
): Pick<
  TrackRecord,
  'answers' | 'tokens' | 'unopened' | 'strata' | 'answersByContext' | 'smallestDetectable'
> {
  const begin = beginOf(entries, from)
  const recent = entries.slice(begin)
  // What says it was opened later than now would be news for ever: until then it counts as a lost bet.
  const opened = recent.filter((entry) => entry.state === 'opened').filter((entry) => entry.openedAt <= to)
  const unopened = recent.length - opened.length
  const tokensBy = (name: keyof History.Strata) => {
    const tokens = new Map<string, number>()
    for (const { strata, tokens: more } of opened)
      tokens.set(strata[name], (tokens.get(strata[name]) ?? 0) + more)
    return tokens
  }
  const answersByContext = new Map<History.Strata['context'], number>()
  for (const { strata } of opened)
    answersByContext.set(strata.context, (answersByContext.get(strata.context) ?? 0) + 1)
  return {
    answers: opened.length,
    answersByContext,
    tokens: opened.reduce((sum, entry) => sum + entry.tokens, 0),
    unopened,
    strata: {
      context: tokensBy('context'),
      language: tokensBy('language'),
      sampling: tokensBy('sampling'),
      gateway: tokensBy('gateway'),
    },
    smallestDetectable:
      opened.length === 0
        ? undefined
        : Detectable.smallest({
            first: (entries[begin - 1]?.commit ?? -1) + 2,
            last: (recent[0]?.commit ?? 0) + 1,
            opened: opened.length,
            unopened,
            mean,
          }),
  }
}

/**
 * Where a window begins: with the first new commitment after the last audit that was opened before it. An old audit that is
 * opened late does not draw it backwards, and what was withheld since belongs to it: it weakens what could be found.
 */
function beginOf(entries: readonly History.Entry[], from: number): number {
  const old = entries.findLastIndex((entry) => entry.state === 'opened' && entry.openedAt < from)
  const commit = entries[old]?.commit ?? -1
  const begin = entries.findIndex((entry) => entry.commit > commit)
  return begin < 0 ? entries.length : begin
}

function openedAt(entry: History.Entry): number {
  return entry.state === 'opened' ? entry.openedAt : Number.NEGATIVE_INFINITY
}

function percent(share: number): string {
  const value = (share / ppm) * 100
  // Two digits of 100, or of 99.6, would read 1.0e+2.
  return value < 99.5 ? value.toPrecision(2) : value.toFixed(0)
}
