import type * as Calibration from './Calibration.ts'
import * as Detectable from './Detectable.ts'
import type * as History from './History.ts'
import { calibrationError, convictionValue, detectableMaxPpm, ppm } from './Params.ts'
import * as PublicProcess from './PublicProcess.ts'

/**
 * What a provider's audits on one model come to. `value` is the evidence now, `peak` the highest it ever was,
 * `convictedAt` the audit at which it reached one million. Of the window: answers and tokens opened, audits committed
 * but not opened, tokens by stratum, and the smallest share of false answers, in millionths, that would have convicted.
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
    process = PublicProcess.next(process, { auditor: entry.auditor, x, mean: calibration.mu0 })
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
    ...window(entries, { from: now - windowSeconds, mean: calibration.mu0 }),
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

/** Chance that a conviction is wrong: of the process ever reaching its threshold, and of a calibration that is too low. */
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

/** The smallest detectable effect in words, for a verdict. */
export function describe(record: TrackRecord): string {
  const { smallestDetectable: share } = record
  if (share === undefined) return 'nothing yet: too few audits'
  return `${percent(share)} % of answers from other weights or another sampler, over ${record.answers} audited answers of ${record.tokens} tokens`
}

function window(
  entries: readonly History.Entry[],
  { from, mean }: { readonly from: number; readonly mean: number },
): Pick<TrackRecord, 'answers' | 'tokens' | 'unopened' | 'strata' | 'smallestDetectable'> {
  const oldest = entries.findIndex((entry) => openedAt(entry) >= from)
  // What was withheld just before the first opened one belongs to the window too: it weakens what could be found.
  const begin = entries.slice(0, Math.max(0, oldest)).findLastIndex((entry) => entry.state === 'opened') + 1
  const recent = oldest < 0 ? [] : entries.slice(begin)
  const opened = recent.filter((entry) => entry.state === 'opened')
  const unopened = recent.length - opened.length
  const tokensBy = (name: keyof History.Strata) => {
    const tokens = new Map<string, number>()
    for (const { strata, tokens: more } of opened)
      tokens.set(strata[name], (tokens.get(strata[name]) ?? 0) + more)
    return tokens
  }
  return {
    answers: opened.length,
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
        : Detectable.smallest({ first: begin + 1, opened: opened.length, unopened, mean }),
  }
}

function openedAt(entry: History.Entry): number {
  return entry.state === 'opened' ? entry.openedAt : Number.NEGATIVE_INFINITY
}

function percent(share: number): string {
  return ((share / ppm) * 100).toPrecision(2)
}
