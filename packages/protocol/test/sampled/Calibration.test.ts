import { describe, expect, it } from 'vitest'
import * as Calibration from '../../src/sampled/Calibration.ts'
import * as CalibrationRecords from '../../src/sampled/CalibrationRecords.ts'
import * as MeanBound from '../../src/sampled/MeanBound.ts'
import { logprobFactors } from '../../src/sampled/Params.ts'
import type { Statistic } from '../../src/sampled/Statistic.ts'
import * as Random from './Random.ts'

describe('MeanBound.upper', () => {
  const none = new Map<number, number>()

  it('is what the bet of 0.98 leaves where no token ever showed an excess', () => {
    for (const tokens of [1_000, 25_000, 1_000_000]) {
      const bound = MeanBound.upper({ tokens, counts: none, error: 1e-6 })
      expect(bound).toBeLessThan(Math.log(2e6) / 0.98 / tokens)
      expect(bound).toBeGreaterThan(Math.log(1e6) / tokens)
    }
    expect(MeanBound.upper({ tokens: 25_000, counts: none, error: 1e-6 })).toBeCloseTo(0.000591, 6)
  })

  it('lies above the mean that was seen, nears it with more tokens, and falls as the error allowed grows', () => {
    const at = (scale: number, error: number) =>
      MeanBound.upper({ tokens: 10_000 * scale, counts: new Map([[0.5, 20 * scale]]), error })
    expect(at(1, 1e-6)).toBeGreaterThan(at(10, 1e-6))
    expect(at(10, 1e-6)).toBeGreaterThan(at(1_000, 1e-6))
    expect(at(1_000, 1e-6)).toBeGreaterThan(0.001)
    expect(at(1_000, 1e-6)).toBeLessThan(0.00106)
    expect(at(1, 1e-3)).toBeLessThan(at(1, 1e-6))
  })

  it('is 1 where nothing can be said', () => {
    expect(MeanBound.upper({ tokens: 0, counts: none, error: 1e-6 })).toBe(1)
    expect(MeanBound.upper({ tokens: 10, counts: none, error: 1e-6 })).toBe(1)
  })

  it('is never above the empirical Bernstein bound with the same bet and weight', () => {
    const random = Random.create(3)
    for (let i = 0; i < 100; i += 1) {
      const counts = new Map(
        Array.from({ length: 8 }, () => [random.uniform(), Math.floor(random.uniform() * 30)]),
      )
      const tokens = 5_000
      const sum = (power: number) => [...counts].reduce((total, [s, count]) => total + count * s ** power, 0)
      const bernstein = (bet: number, weight: number) =>
        (sum(1) + (Math.log(1e6 / weight) + (-Math.log1p(-bet) - bet) * sum(2)) / bet) / tokens
      expect(MeanBound.upper({ tokens, counts, error: 1e-6 })).toBeLessThanOrEqual(
        Math.min(bernstein(0.98, 0.5), bernstein(0.5, 0.15), bernstein(0.05, 0.05)) * (1 + 1e-6),
      )
    }
  })

  it('fails no more often than it says, though means change with what was seen and one stops at the worst moment', () => {
    const random = Random.create(4)
    const error = 0.05
    const runs = 2_000
    let failed = 0
    for (let run = 0; run < runs; run += 1) {
      const counts = new Map<number, number>()
      let means = 0
      let isWrong = false
      for (let tokens = 1; tokens <= 300 && !isWrong; tokens += 1) {
        // Means are higher while luck has shown little: what a bound that forgets the past would miss.
        const mean = counts.size === 0 ? 0.02 : 0.005
        means += mean
        if (random.uniform() < mean) counts.set(1, (counts.get(1) ?? 0) + 1)
        if (tokens % 20 === 0) isWrong = means / tokens > MeanBound.upper({ tokens, counts, error })
      }
      if (isWrong) failed += 1
    }
    expect(failed / runs).toBeLessThanOrEqual(error + 4 * Math.sqrt((error * (1 - error)) / runs))
    // Near what is claimed: a bound too low by half would fail too often.
    expect(failed / runs).toBeGreaterThan(0.3 * error)
  })
})

const clean: Statistic = { first: 0, second: 0, spread: 0, logprob: 0 }
const random = Random.create(9)
const machines = [random.hex(32), random.hex(32)].sort()
const subject = {
  model: random.hex(32),
  runtime: random.hex(32),
  references: [random.hex(32), random.hex(32)],
  created: 1_770_000_000,
}

/** Honest runs: on each machine so many answers of 50 tokens, the first of them with this one token changed. */
function honest(answers: number, odd: Partial<Statistic> = {}, often = 1): readonly CalibrationRecords.Run[] {
  return machines.map((machine) => ({
    machine,
    answers: Array.from({ length: answers }, (_, i) =>
      Array.from({ length: 50 }, (_, token) => (i < often && token === 0 ? { ...clean, ...odd } : clean)),
    ),
  }))
}

describe('CalibrationRecords.fit', () => {
  it('gives the floor where enough honest tokens show nothing, and says on what it rests', () => {
    const calibration = CalibrationRecords.fit(honest(400), subject)
    expect(calibration).toMatchObject({
      answers: 800,
      tokens: 40_000,
      mu0: 5_000,
      meanX: 0,
      varianceX: 0,
      scores: [],
      logprobFactor: 500,
      machines: machines.map((machine) => ({ machine, answers: 400, tokens: 20_000 })),
    })
    expect(CalibrationRecords.matches(calibration, honest(400))).toBe(true)
    expect(CalibrationRecords.matches(calibration, honest(400, { first: 1 }))).toBe(false)
    expect(CalibrationRecords.matches({ ...calibration, meanX: 5 }, honest(400))).toBe(false)
  })

  it('gives more than the floor for fewer tokens or any excess', () => {
    const few = CalibrationRecords.fit(honest(250), subject)
    expect(few.mu0).toBe(6_646)
    const odd = CalibrationRecords.fit(honest(400, { first: 3_200, second: 3_200 }, 5), subject)
    expect(odd.scores).toEqual([{ score: 2_000, tokens: 10 }])
    expect(odd.mu0).toBeGreaterThan(7_000)
    expect(odd.meanX).toBe(Math.ceil((156_250 * 10) / 800))
    expect(odd.varianceX).toBe(Math.ceil(1e6 * (0.15625 ** 2 / 80 - (0.15625 / 80) ** 2)))
  })

  it('counts at most 64 tokens an answer: long clean answers are no credit for short bad ones', () => {
    const answers = (count: number, tokens: number, bad: number) =>
      Array.from({ length: count }, () =>
        Array.from({ length: tokens }, (_, i) =>
          i < bad ? { ...clean, first: 3_200, second: 3_200 } : clean,
        ),
      )
    const [machine = '0x'] = machines
    const mixed = [...answers(400, 64, 0), ...answers(20, 64, 2), ...answers(60, 2_000, 0)]
    const calibration = CalibrationRecords.fit([{ machine, answers: mixed }], subject)
    // 40 tokens of 146,880 are bad, but an answer's X is 0.015 on average, not 0.003.
    const scores = [{ score: 2_000, tokens: 40 }]
    expect(calibration.scores).toEqual(scores)
    expect(calibration.mu0).toBe(Calibration.mean({ answers: 480, tokens: 146_880, scores }))
    expect(calibration.mu0).toBeGreaterThan(calibration.meanX)
    expect(Calibration.mean({ answers: 480 * 5, tokens: 146_880, scores })).toBeLessThan(calibration.meanX)
    expect(() => Calibration.decode({ ...calibration, mu0: 5_000 })).toThrow('must be')
  })

  it('lowers the weight of log-probabilities until honest runs bear it', () => {
    const factorAt = (logprob: number) =>
      CalibrationRecords.fit(honest(400, { logprob }, 30), subject).logprobFactor
    expect([2_400, 4_800, 20_000].map(factorAt)).toEqual([...logprobFactors])
  })
})

describe('Calibration.standing', () => {
  const base = CalibrationRecords.fit(honest(400), subject)
  const asked = { quantization: 'Q4_1', machinesMin: 2 }

  it('convicts with enough tokens from two machines', () => {
    expect(Calibration.standing(base, asked)).toEqual({ use: 'convict' })
  })

  it('advises with one machine where one is enough, with few tokens, and refuses one where two are asked', () => {
    const [first, second] = honest(600)
    const one = CalibrationRecords.fit(first ? [first] : [], subject)
    expect(Calibration.standing(one, asked).use).toBe('refuse')
    expect(Calibration.standing(one, { ...asked, machinesMin: 1 }).use).toBe('advise')
    const token = { machine: second?.machine ?? '0x', answers: [[clean]] }
    expect(
      Calibration.standing(CalibrationRecords.fit(first ? [first, token] : [], subject), asked).use,
    ).toBe('refuse')
    expect(Calibration.standing(CalibrationRecords.fit(honest(249), subject), asked)).toMatchObject({
      use: 'advise',
      reason: expect.stringContaining('24900 honest tokens'),
    })
  })

  it('refuses to declare more noise than the quantisation may have', () => {
    const noisy = CalibrationRecords.fit(honest(400, { first: 3_200, second: 3_200 }, 10), subject)
    expect(noisy.mu0).toBeGreaterThan(10_000)
    expect(Calibration.standing(noisy, { ...asked, quantization: 'Q8_0' }).use).toBe('refuse')
    expect(Calibration.standing(noisy, { ...asked, quantization: 'F16' }).use).toBe('refuse')
    expect(Calibration.standing(noisy, asked).use).toBe('convict')
  })

  it.each([
    ['F32', 5_000],
    ['BF16', 5_000],
    ['F16', 5_000],
    ['fp16', 5_000],
    ['Q8_0', 10_000],
    ['fp8', 10_000],
    ['int8', 10_000],
    ['Q4_1', 20_000],
    ['q5_k_m', 20_000],
    ['IQ2_XXS', 20_000],
    ['MXFP4', 20_000],
    ['none known', 5_000],
    ['', 5_000],
  ])('%s may stray by %i millionths', (quantization, most) => {
    expect(Calibration.cap(quantization)).toBe(most)
  })
})
