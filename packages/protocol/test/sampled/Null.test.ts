import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as EProcess from '../../src/sampled/EProcess.ts'
import { bets } from '../../src/sampled/Params.ts'
import * as PublicProcess from '../../src/sampled/PublicProcess.ts'
import * as Random from './Random.ts'

// Providers that are honest by the letter: the mean of X given the past is at most mu0, but an adversary who sees all
// evidence picks the distribution. At scaled-down thresholds, because one in a million takes too long to see.

const mean = 5_000
const whole = 1_000_000
const answers = 400
const runs = 1_000

/** Value that X takes with the largest chance that keeps its mean at mu0; otherwise it is `low`. */
type Distribution = { readonly high: number; readonly low: number }

/** Picks the next distribution from everything that is known. */
type Adversary = (process: EProcess.EProcess, threshold: number) => Distribution

/** The X at which the value would reach the threshold: the boldest play, all or nothing. */
const bold: Adversary = (process, threshold) => {
  const gain = (x: number) => EProcess.value(EProcess.next(process, { x, mean }))
  const [low, high] = [gain(0), gain(whole)]
  const needed = Math.ceil(((threshold - low) / (high - low)) * whole)
  return { high: Math.min(whole, Math.max(mean, needed + 1)), low: 0 }
}

const adversaries: Readonly<Record<string, Adversary>> = {
  'answers that are wholly wrong once in 200': () => ({ high: whole, low: 0 }),
  'answers that are wrong by twice mu0 every other time': () => ({ high: 2 * mean, low: 0 }),
  'answers at mu0 but for rare outbursts': () => ({ high: whole, low: mean - 100 }),
  'the least answer that reaches the threshold at once': bold,
  'small wins first, then all or nothing': (process, threshold) =>
    EProcess.value(process) < 3 ? { high: 10 * mean, low: 0 } : bold(process, threshold),
  'small change for long, then all or nothing': (process, threshold) =>
    process.answers < answers / 2 ? { high: 2 * mean, low: 0 } : bold(process, threshold),
}

const drawn = ({ high, low }: Distribution, random: Random.Random) => {
  const chance = high === low ? 1 : (mean - low) / (high - low)
  return random.uniform() < chance ? high : low
}

/** Four standard errors of a share seen in so many runs. */
const doubt = (share: number) => 4 * Math.sqrt((share * (1 - share)) / runs)

describe('an honest provider', () => {
  it.each(
    Object.entries(adversaries).flatMap(([name, adversary]) =>
      [20, 100].map((threshold) => ({ name, adversary, threshold })),
    ),
  )('crosses $threshold in at most 1/$threshold of runs: $name', ({ adversary, threshold }) => {
    const random = Random.create(threshold)
    let crossed = 0
    for (let run = 0; run < runs; run += 1) {
      let process = EProcess.start
      for (let i = 0; i < answers && EProcess.value(process) < threshold; i += 1)
        process = EProcess.next(process, { x: drawn(adversary(process, threshold), random), mean })
      if (EProcess.value(process) >= threshold) crossed += 1
    }
    expect(crossed / runs).toBeLessThanOrEqual(1 / threshold + doubt(1 / threshold))
    // The boldest comes near the bound: were it loose, the figures above would show nothing.
    if (adversary === bold) expect(crossed / runs).toBeGreaterThan(0.4 / threshold)
  })

  it('would be convicted too often if the bets paid more than they may: the test can fail', () => {
    const random = Random.create(7)
    let crossed = 0
    for (let run = 0; run < runs; run += 1) {
      let process = EProcess.start
      for (let i = 0; i < answers && EProcess.value(process) < 20; i += 1) {
        const { high, low } = bold(process, 20)
        const chance = (2 * mean - low) / (high - low)
        process = EProcess.next(process, { x: random.uniform() < chance ? high : low, mean })
      }
      if (EProcess.value(process) >= 20) crossed += 1
    }
    expect(crossed / runs).toBeGreaterThan(1 / 20 + doubt(1 / 20))
  })
})

describe('the public process of an honest provider', () => {
  const auditors = Array.from({ length: 8 }, (_, i) => `0x${`${i}`.repeat(40)}` as const)
  const evidenceOf = (process: PublicProcess.PublicProcess, auditor: (typeof auditors)[number]) =>
    EProcess.total(process.accounts.get(auditor) ?? bets.map(() => 0))

  /** The auditor who has most, and the X with which its next audit would reach the threshold. */
  const attack = (process: PublicProcess.PublicProcess, threshold: number) => {
    const auditor = auditors.reduce((best, one) =>
      evidenceOf(process, one) > evidenceOf(process, best) ? one : best,
    )
    const after = (x: number) =>
      PublicProcess.value(PublicProcess.next(process, { auditor, commit: process.starts, x, mean }))
    const [low, high] = [after(0), after(whole)]
    const needed = Math.ceil(((threshold - low) / (high - low)) * whole)
    return { auditor, high: Math.min(whole, Math.max(mean, needed + 1)), low: 0 }
  }

  it('crosses 5 in at most 1/5 of runs though all stake moves to whoever has most evidence', () => {
    const random = Random.create(11)
    const count = 1_000
    let crossed = 0
    for (let run = 0; run < count; run += 1) {
      let process = PublicProcess.start
      for (let i = 0; i < 100 && process.peak < 5; i += 1) {
        const { auditor, ...distribution } = attack(process, 5)
        process = PublicProcess.withStakes(process, new Map([[auditor, 1]]))
        process = PublicProcess.next(process, {
          auditor,
          commit: process.starts,
          x: drawn(distribution, random),
          mean,
        })
      }
      if (process.peak >= 5) crossed += 1
    }
    // Near the bound: a process of half as much again would cross it.
    expect(crossed / count).toBeGreaterThan(0.6 / 5)
    expect(crossed / count).toBeLessThanOrEqual(1 / 5 + 4 * Math.sqrt((0.2 * 0.8) / count))
  })

  it('weighs no evidence anew: a mean over auditors whose stakes follow their luck would convict far too often', () => {
    const random = Random.create(13)
    const count = 300
    let crossed = 0
    let naive = 0
    for (let run = 0; run < count; run += 1) {
      let process = PublicProcess.start
      const each = new Map(auditors.map((auditor) => [auditor, EProcess.start]))
      for (let i = 0; i < 200; i += 1) {
        const auditor = auditors[i % 8] ?? '0x'
        const own = each.get(auditor) ?? EProcess.start
        const x = EProcess.value(own) >= 20 ? 0 : drawn(bold(own, 20), random)
        const [luckiest = auditor] =
          [...each].sort(([, a], [, b]) => EProcess.value(b) - EProcess.value(a))[0] ?? []
        process = PublicProcess.withStakes(process, new Map([[luckiest, 1]]))
        process = PublicProcess.next(process, { auditor, commit: i, x, mean })
        if (EProcess.value(own) < 20) each.set(auditor, EProcess.next(own, { x, mean }))
      }
      if (process.peak >= 20) crossed += 1
      if ([...each.values()].some((one) => EProcess.value(one) >= 20)) naive += 1
    }
    expect(crossed / count).toBeLessThanOrEqual(1 / 20 + 4 * Math.sqrt((0.05 * 0.95) / count))
    expect(naive / count).toBeGreaterThan(2 / 20)
  })

  it('crosses 20 in at most 1/20 of runs though auditors open only what they like, when they like', () => {
    const random = Random.create(12)
    const count = 500
    let crossed = 0
    for (let run = 0; run < count; run += 1) {
      const xs = Array.from({ length: 120 }, () => (random.uniform() < mean / whole ? whole : 0))
      const owner = xs.map(() => auditors[Math.floor(random.uniform() * 8)] ?? auditors[0] ?? '0x')
      const stakes = new Map(auditors.map((auditor, i) => [auditor, i + 1]))
      const fold = (isOpened: (i: number) => boolean) =>
        xs.reduce(
          (process, x, i) =>
            PublicProcess.next(process, {
              auditor: owner[i] ?? '0x',
              commit: i,
              x: isOpened(i) ? x : 0,
              mean,
            }),
          PublicProcess.withStakes(PublicProcess.start, stakes),
        )
      // They know everything before they open anything, and show each of some selections to the public in turn.
      const shown = [
        () => true,
        (i: number) => xs[i] !== 0,
        (i: number) => i % 2 === 0,
        (i: number) => i > 60,
      ]
      if (shown.some((isOpened) => fold(isOpened).peak >= 20)) crossed += 1
    }
    expect(crossed / count).toBeLessThanOrEqual(1 / 20 + 4 * Math.sqrt((0.05 * 0.95) / count))
  })

  /** What became of an audit: it met this provider, or another one; X where it met this one. */
  type Met = {
    readonly commit: number
    readonly auditor: (typeof auditors)[number]
    readonly x: number | undefined
  }
  const met: fc.Arbitrary<readonly Met[]> = fc
    .array(
      fc.record({
        gap: fc.constantFrom(0, 0, 1, 1, 1, 7),
        auditor: fc.constantFrom(...auditors.slice(0, 3)),
        x: fc.constantFrom(undefined, undefined, 0, 0, 5_000, 200_000, whole),
      }),
      { minLength: 1, maxLength: 60 },
    )
    .map((audits) => {
      let commit = 0
      return audits.map(({ gap, ...rest }) => {
        commit += gap
        return { commit, ...rest }
      })
    })
  const stakes = new Map(auditors.map((auditor, i) => [auditor, i + 1]))
  const peakOf = (audits: readonly Met[], isSealed: (i: number) => boolean) =>
    audits.reduce(
      (process, { x, ...rest }, i) => {
        if (isSealed(i)) return PublicProcess.next(process, { ...rest, x: 0, mean })
        return x === undefined ? process : PublicProcess.next(process, { ...rest, x, mean })
      },
      PublicProcess.withStakes(PublicProcess.start, stakes),
    ).peak

  it('starts at 1, and neither gains nor loses on average at mu0, whatever came before, whoever audits, stakes and waits', () => {
    const chosen = fc.record({ who: fc.nat(3), gap: fc.constantFrom(0, 1, 9, 500), staked: fc.nat(3) })
    const high = fc.integer({ min: mean, max: whole })
    expect(PublicProcess.value(PublicProcess.start)).toBe(1)
    fc.assert(
      fc.property(met, fc.array(chosen, { maxLength: 60 }), chosen, high, (audits, choices, last, x) => {
        const staking = (process: PublicProcess.PublicProcess, count: number) =>
          PublicProcess.withStakes(process, new Map(auditors.slice(0, count).map((one, i) => [one, i + 1])))
        const process = audits.reduce(
          (all, audit, i) =>
            PublicProcess.next(staking(all, choices[i]?.staked ?? 2), { ...audit, x: audit.x ?? 0, mean }),
          PublicProcess.start,
        )
        const next = {
          auditor: auditors[last.who] ?? '0x',
          commit: Math.max(0, process.starts - 1) + last.gap,
          mean,
        }
        const after = (one: number) =>
          PublicProcess.value(PublicProcess.next(staking(process, last.staked), { ...next, x: one }))
        const average = (mean / x) * after(x) + (1 - mean / x) * after(0)
        expect(average / PublicProcess.value(process)).toBeCloseTo(1, 9)
      }),
      { numRuns: 300, seed: 16 },
    )
  })

  it('never gains by an audit that is sealed, whether it met this provider or another, whoever picks which', () => {
    fc.assert(
      fc.property(met, fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }), (audits, sealed) => {
        const whole = peakOf(audits, () => false)
        expect(peakOf(audits, (i) => sealed[i] ?? false)).toBeLessThanOrEqual(whole * (1 + 1e-9))
      }),
      { numRuns: 300, seed: 14 },
    )
  })

  it("would gain if its own audits numbered the starts: others' sealed ones would move them", () => {
    const hits = Array.from({ length: 1_200 }, (_, i) => (i % 20 === 0 ? whole : 0))
    const run = (xs: readonly number[]) =>
      EProcess.value(xs.reduce((process, x) => EProcess.next(process, { x, mean }), EProcess.start))
    expect(run([0, 0, 0, ...hits])).toBeGreaterThan(1.15 * run(hits))
  })

  it('crosses 20 in at most 1/20 of runs though auditors seal what met others, results known', () => {
    const random = Random.create(15)
    const count = 300
    let crossed = 0
    for (let run = 0; run < count; run += 1) {
      // Half of the audits meet this provider, the rest another one; the auditor then seals runs of the latter to let
      // starts gather before each of its hits, and shows the best that it finds.
      const audits: readonly Met[] = Array.from({ length: 160 }, (_, i) => ({
        commit: Math.floor(i / 2),
        auditor: auditors[i % 8] ?? '0x',
        x: random.uniform() < 0.5 ? undefined : random.uniform() < mean / whole ? whole : 0,
      }))
      const hits = audits.flatMap(({ x }, i) => (x === whole ? [i] : []))
      const selections = [
        () => false,
        ...hits.map((hit) => (i: number) => i < hit && audits[i]?.x === undefined),
      ]
      if (selections.some((isSealed) => peakOf(audits, isSealed) >= 20)) crossed += 1
    }
    expect(crossed / count).toBeLessThanOrEqual(1 / 20 + 4 * Math.sqrt((0.05 * 0.95) / count))
  })
})
