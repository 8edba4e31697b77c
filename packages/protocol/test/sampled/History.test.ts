import { describe, expect, it } from 'vitest'
import { Decode } from '../../src/index.ts'
import type * as Calibration from '../../src/sampled/Calibration.ts'
import * as Detectable from '../../src/sampled/Detectable.ts'
import * as EProcess from '../../src/sampled/EProcess.ts'
import * as History from '../../src/sampled/History.ts'
import * as PublicProcess from '../../src/sampled/PublicProcess.ts'
import * as TrackRecord from '../../src/sampled/TrackRecord.ts'
import * as Audits from './Audits.ts'

const { history, auditor, otherAuditor, calibration } = Audits
const page = (entries: readonly History.Entry[]): History.History => ({ ...history, entries })
const now = 1_780_000_000
const week = 7 * 86_400

describe('History.merge', () => {
  it('puts pages in the order of commitments, each audit once', () => {
    const [first, second, third] = history.entries
    if (!first || !second || !third) throw new Error('the example has three entries')
    expect(History.merge([page([third]), page([first, second]), history])).toEqual(history.entries)
    expect(History.merge([])).toEqual([])
  })

  it('takes an audit as opened where one page opens it', () => {
    const { commit, leaf, auditor: by } = Audits.opened
    const unopened = { state: 'unopened', commit, leaf, auditor: by } as const
    for (const pages of [
      [page([unopened]), page([Audits.opened])],
      [page([Audits.opened]), page([unopened])],
    ])
      expect(History.merge(pages)).toEqual([Audits.opened])
  })

  it('refuses two stories of one audit, a claim under two, another auditor under one leaf, and pages of others', () => {
    const merge =
      (...pages: readonly History.History[]) =>
      () =>
        History.merge(pages)
    const base = page([Audits.opened])
    expect(merge(base, page([{ ...Audits.opened, x: 5 }]))).toThrow('tells an audit a second time')
    expect(merge(base, page([{ ...Audits.opened, auditor: otherAuditor }]))).toThrow(
      'tells an audit a second time',
    )
    expect(merge(base, page([{ ...Audits.opened, commit: 8 }]))).toThrow('was audited before')
    for (const field of ['domain', 'provider', 'model', 'calibration'] as const)
      expect(merge(base, { ...base, [field]: `0x${'ee'.repeat(32)}` })).toThrow(Decode.DecodeError)
  })
})

describe('History.decode', () => {
  it('refuses more entries than a page has before it reads one', () => {
    expect(() => History.decode({ ...history, entries: Array(8_193).fill(0) })).toThrow('at most 8192 items')
  })
})

describe('History strata', () => {
  it('have the buckets of the page', () => {
    expect([0, 512, 513, 2_048, 8_192, 32_768, 32_769].map(History.contextOf)).toEqual([
      '512',
      '512',
      '2048',
      '2048',
      '8192',
      '32768',
      'more',
    ])
    expect(History.samplingOf({ temperature: 0, topP: 0.5 })).toBe('greedy')
    expect(History.samplingOf({ temperature: 1e-3, topP: 1 })).toBe('plain')
    expect(History.samplingOf({ temperature: 1, topP: 0.99 })).toBe('nucleus')
  })
})

const fold = (
  entries: readonly History.Entry[],
  change: Partial<Parameters<typeof TrackRecord.fold>[1]> = {},
) =>
  TrackRecord.fold(entries, {
    calibration,
    stakes: [
      {
        fromCommit: 0,
        stakes: new Map([
          [auditor, 5],
          [otherAuditor, 5],
        ]),
      },
    ],
    now,
    windowSeconds: week,
    ...change,
  })
const zeros = (count: number) => Array.from({ length: count }, () => 0)
const standing: Calibration.Standing = { use: 'convict' }
const judge = (record: TrackRecord.TrackRecord) =>
  TrackRecord.judge(record, { standing, maxAgeSeconds: week })

describe('TrackRecord.fold', () => {
  it('is half the pooled process and half the shares of the auditors, by the definition of both', () => {
    const mine = Audits.audits([0, 1_000_000, 0], { now })
    const theirs = Audits.audits([500_000, 0], { now, by: otherAuditor, fromCommit: 10 })
    const { mu0: mean } = calibration
    const xs = [...mine, ...theirs].map((one) => ({ x: one.x, mine: one.auditor === auditor }))
    // Starts belong to commitments: those up to 2 begin with the first three audits, those up to 10 with the fourth.
    const sumOfWeights = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, i) => EProcess.startWeight(from + i)).reduce(
        (a, b) => a + b,
        0,
      )
    const weights = [1, 2, 3].map(EProcess.startWeight).concat(sumOfWeights(4, 11), EProcess.startWeight(12))
    const bets = [0.9, 0.4, 0.16, 0.07, 0.03, 0.012, 0.005]
    const alone = (whose: readonly boolean[]) =>
      bets
        .map((bet) =>
          xs
            .map((_, k) =>
              xs
                .slice(k)
                .filter((one) => whose.includes(one.mine))
                .reduce((all, one) => all * (1 - bet + (bet * one.x) / mean), weights[k] ?? 0),
            )
            .reduce((sum, one) => sum + one, 0),
        )
        .reduce((sum, one) => sum + one, 0) / 7
    const expected = alone([true, false]) / 2 + (alone([true]) + alone([false])) / 4 + EProcess.weightLeft(12)
    expect(fold([...mine, ...theirs]).value / expected).toBeCloseTo(1, 9)
  })

  it('without stakes leaves that half at 1', () => {
    const entries = Audits.audits([0, 0, 0], { now })
    const pooled = EProcess.value(
      zeros(3).reduce<EProcess.EProcess>(
        (all, x) => EProcess.next(all, { x, mean: calibration.mu0 }),
        EProcess.start,
      ),
    )
    expect(fold(entries, { stakes: [] }).value).toBeCloseTo(pooled / 2 + 0.5, 12)
  })

  it('convicts, remembers it, and says at which audit', () => {
    const record = fold(Audits.audits([0, 0, ...Array(6).fill(1_000_000), ...zeros(500)], { now }))
    expect(record.convictedAt).toEqual({ commit: 5, leaf: 0 })
    expect(record.peak).toBeGreaterThan(1e6)
    expect(record.value).toBeLessThan(1e6)
    expect(judge(record)).toMatchObject({ outcome: 'fails', advisory: undefined, errorBound: 1e-6 })
  })

  it('counts what is not opened as X = 0, so that hiding helps only the provider', () => {
    const shown = Audits.audits(
      zeros(40).map((_, i) => (i % 8 === 0 ? 1_000_000 : 0)),
      { now },
    )
    const hidden = shown.map((one, i) =>
      i % 16 === 0 ? ({ state: 'unopened', commit: one.commit, leaf: one.leaf, auditor } as const) : one,
    )
    expect(fold(hidden).peak).toBeLessThan(fold(shown).peak)
    expect(fold(hidden).value).toBe(
      fold(shown.map((one, i) => (i % 16 === 0 ? { ...one, x: 0 } : one))).value,
    )
    expect(fold(hidden)).toMatchObject({ answers: 37, unopened: 3, tokens: 37 * 50 })
  })

  it('keeps most of the evidence when colluding auditors flood it with audits that they never open', () => {
    const honest = Audits.audits([...zeros(20), ...Array(8).fill(1_000_000)], { now, fromCommit: 1_000 })
    const flood = Array.from(
      { length: 500 },
      (_, leaf) => ({ state: 'unopened', commit: 5, leaf, auditor: otherAuditor }) as const,
    )
    const late = flood.map((one) => ({ ...one, commit: 1_024 }))
    expect(fold([...flood, ...honest]).convictedAt).toBeDefined()
    expect(
      fold([
        ...honest.slice(0, 24),
        ...late,
        ...honest.slice(24).map((one) => ({ ...one, commit: one.commit + 10 })),
      ]).convictedAt,
    ).toBeDefined()
  })

  it('weighs starts by the stakes of their moment, whatever they are later', () => {
    const early = Audits.audits(Array(3).fill(1_000_000), { now })
    const later = Audits.audits(zeros(3), { now, by: otherAuditor, fromCommit: 10 })
    const all = [...early, ...later]
    const only = (who: typeof auditor) => ({ fromCommit: 0, stakes: new Map([[who, 1]]) })
    const switched = (to: typeof auditor) => [only(auditor), { ...only(to), fromCommit: 10 }]
    const kept = fold(all, { stakes: switched(auditor) }).value
    expect(fold(all, { stakes: switched(otherAuditor) }).value / kept).toBeCloseTo(1, 2)
    expect(fold(all, { stakes: [only(otherAuditor)] }).value).toBeLessThan(kept / 1.5)
  })

  it('tells of the window: answers, tokens by stratum, age, and the smallest share it would have convicted', () => {
    const old = Audits.audits(zeros(100), { now: now - 2 * week })
    const recent = Audits.audits(zeros(150), { now: now - 3_600, fromCommit: 200 })
    const record = fold([...old, ...recent])
    expect(record).toMatchObject({ answers: 150, tokens: 7_500, unopened: 0, age: 3_600 })
    expect(record.strata.sampling).toEqual(new Map([['plain', 7_500]]))
    expect(record.smallestDetectable).toBe(
      Detectable.smallest({ first: 101, last: 201, opened: 150, unopened: 0, mean: calibration.mu0 }),
    )
    expect(TrackRecord.describe(record)).toMatch(
      /^1[0-9] % of answers .* with 95 % probability, over 150 audited answers of 7500 tokens$/,
    )
    expect(judge(record)).toEqual({ outcome: 'holds', advisory: undefined, errorBound: 1e-6 })
  })
})

describe("TrackRecord's window", () => {
  const old = Audits.audits(zeros(100), { now: now - 2 * week })
  const recent = (count: number) => Audits.audits(zeros(count), { now: now - 3_600, fromCommit: 200 })

  it('is not drawn backwards by an old audit that is opened late', () => {
    const [first, ...rest] = old
    if (!first) throw new Error('there are a hundred')
    const late = fold([{ ...first, openedAt: now - 10 }, ...rest, ...recent(5)])
    expect(late).toMatchObject({ answers: 5, unopened: 0 })
    expect(judge(late)).toMatchObject({ code: 'history-short' })
  })

  it('counts as lost what says it was opened later than now', () => {
    const dated = recent(100).map((one) => ({ ...one, openedAt: now + 52 * week }))
    const record = fold([...dated, ...Audits.audits(zeros(10), { now, fromCommit: 400 })])
    expect(record).toMatchObject({ answers: 10, unopened: 100, age: 0 })
    expect(judge(record)).toMatchObject({ code: 'history-short' })
  })

  it('begins with a commitment, and with what was withheld since the last audit before it', () => {
    const before = {
      ...Audits.opened,
      commit: 150,
      claim: `0x${'77'.repeat(32)}`,
      openedAt: now - 2 * week,
    } as const
    const same = {
      ...recent(1)[0],
      ...{ commit: 150, leaf: 1, claim: `0x${'78'.repeat(32)}` },
    } as History.Opened
    const withheld = { state: 'unopened', commit: 151, leaf: 0, auditor } as const
    const record = fold([before, same, withheld, ...recent(100)])
    expect(record).toMatchObject({ answers: 100, unopened: 1 })
    expect(record.smallestDetectable).toBe(
      Detectable.smallest({ first: 152, last: 152, opened: 100, unopened: 1, mean: calibration.mu0 }),
    )
  })

  it('covers prompts of a length that a provider who failed at them alone would have been convicted by', () => {
    const long = (count: number) =>
      recent(400).map((one, i) => ({
        ...one,
        strata: { ...one.strata, context: i < count ? ('2048' as const) : ('512' as const) },
      }))
    const share = (fold(long(0)).smallestDetectable ?? 0) / 1e6
    const least = Math.ceil(share * 400)
    for (const [count, isCovered] of [
      [0, false],
      [least - 1, false],
      [least, true],
    ] as const)
      expect(TrackRecord.isCovered(fold(long(count)), '2048')).toBe(isCovered)
    expect(TrackRecord.isCovered(fold(long(least)), '512')).toBe(true)
    expect(TrackRecord.isCovered(fold(long(least)), 'more')).toBe(false)
    expect(TrackRecord.isCovered(fold([]), '512')).toBe(false)
    const cheat = long(least).map((one) => (one.strata.context === '2048' ? { ...one, x: 1_000_000 } : one))
    expect(fold(cheat).convictedAt).toBeDefined()
  })
})

describe('TrackRecord.judge', () => {
  it('tells shares as people write them, those near the whole too', () => {
    const message = (unopened: number) => {
      const sealed = Array.from({ length: unopened }, (_, leaf) => ({
        ...{ state: 'unopened' as const, commit: 900, auditor },
        leaf,
      }))
      const found = judge(fold([...Audits.audits(zeros(12), { now }), ...sealed]))
      return found.outcome === 'unknown' ? found.message : found.outcome
    }
    const messages = Array.from({ length: 300 }, (_, unopened) => message(unopened))
    expect(messages.filter((one) => / gives 100 % of its answers falsely/.test(one))).not.toEqual([])
    expect(messages.filter((one) => /\de\+/.test(one))).toEqual([])
  })

  it('says unknown, never holds, where there is little, old or nothing', () => {
    const code = (record: TrackRecord.TrackRecord) => {
      const found = judge(record)
      return found.outcome === 'unknown' ? found.code : found.outcome
    }
    expect(code(fold([]))).toBe('history-missing')
    expect(code(fold([{ state: 'unopened', commit: 1, leaf: 0, auditor }]))).toBe('history-missing')
    expect(code(fold(Audits.audits(zeros(30), { now })))).toBe('history-short')
    expect(code(fold(Audits.audits(zeros(3), { now })))).toBe('history-short')
    expect(code(fold(Audits.audits(zeros(100), { now })))).toBe('holds')
    const aged = fold(Audits.audits(zeros(100), { now: now - 86_401 }))
    expect(TrackRecord.judge(aged, { standing, maxAgeSeconds: 86_400 })).toMatchObject({
      code: 'history-old',
    })
    expect(TrackRecord.judge(aged, { standing, maxAgeSeconds: 86_401 }).outcome).toBe('holds')
    expect(TrackRecord.describe(fold([]))).toBe('nothing yet: too few audits')
  })

  it('does not let an audit from the future keep a history young', () => {
    const entries = [
      ...Audits.audits(zeros(100), { now: now - 3 * week }),
      ...Audits.audits([0], { now: now + 10, fromCommit: 500 }),
    ]
    const record = fold(entries, { windowSeconds: 52 * week })
    expect(record.age).toBe(3 * week)
    expect(judge(record)).toMatchObject({ code: 'history-old' })
  })

  it('says why a calibration keeps it from acting', () => {
    const convicted = fold(Audits.audits(Array(8).fill(1_000_000), { now }))
    const asked = { maxAgeSeconds: week }
    expect(
      TrackRecord.judge(convicted, { ...asked, standing: { use: 'advise', reason: 'one machine' } }),
    ).toMatchObject({
      outcome: 'fails',
      advisory: 'one machine',
    })
    expect(TrackRecord.judge(convicted, { ...asked, standing: { use: 'refuse', reason: 'mu0' } })).toEqual({
      outcome: 'unknown',
      code: 'calibration-refused',
      message: 'mu0',
    })
  })
})

describe('PublicProcess', () => {
  it('shows the public one power of ten, and nothing below ten', () => {
    expect([0, 0.01, 1, 9.99, 10, 4_321, 999_999, 1e6, 1e200].map(PublicProcess.rounded)).toEqual([
      0, 0, 0, 0, 1, 3, 5, 6, 200,
    ])
  })

  it('convicts at two million and not below', () => {
    const at = (peak: number) => PublicProcess.isConvicted({ ...PublicProcess.start, peak })
    expect([1, 1_999_999, 2_000_000, 1e200].map(at)).toEqual([false, false, true, true])
  })

  it('refuses audits that do not come in the order of commitments, and more commitments than it can number', () => {
    const at = (commit: number) => ({ auditor, commit, x: 0, mean: 5_000 })
    const after = PublicProcess.next(PublicProcess.start, at(7))
    expect(PublicProcess.next(after, at(7)).starts).toBe(8)
    expect(() => PublicProcess.next(after, at(6))).toThrow('got 6 after 7')
    expect(() => PublicProcess.next(after, at(2 ** 31 - 1))).toThrow(RangeError)
  })

  it('refuses too many auditors and stakes that are no numbers', () => {
    const many = new Map(
      Array.from({ length: 257 }, (_, i) => [`0x${i.toString(16).padStart(40, '0')}` as const, 1]),
    )
    expect(() => PublicProcess.withStakes(PublicProcess.start, many)).toThrow('at most 256')
    for (const stake of [-1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => PublicProcess.withStakes(PublicProcess.start, new Map([[auditor, stake]]))).toThrow(
        RangeError,
      )
  })
})
