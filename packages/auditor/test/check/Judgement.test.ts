import { describe, expect, test } from 'vitest'
import * as Judgement from '../../src/check/Judgement.ts'
import { type Observation, scores } from '../../src/check/Observation.ts'
import * as Params from '../../src/check/Params.ts'

const one = (changes: Partial<Observation>): Observation => ({
  kind: 'greedy',
  tokens: 50,
  gaps: [],
  surprise: 0,
  deviations: [],
  promptExcess: null,
  ...changes,
})
const greedy = (...gaps: readonly number[]) => one({ gaps })
const sampled = (surprise: number, deviations: readonly number[] = []) =>
  one({ kind: 'sampled', surprise, deviations })
const many = (n: number, ...observations: readonly Observation[]) =>
  Array.from({ length: n }, () => observations).flat()

describe('scores', () => {
  test('greedy: gaps within what engines differ by are free, five full ones of fifty fill an answer', () => {
    expect(scores(greedy(0.1, Params.gapFreeLogits))).toEqual({ greedy: 0 })
    expect(scores(greedy(0.6, 9)).greedy).toBeCloseTo((0.5 + 1) / 5, 9)
    expect(scores(greedy(9, 9, 9, 9, 9, 9, 9))).toEqual({ greedy: 1 })
  })

  test('a short answer weighs little: one wrong token of one is a quarter', () => {
    expect(scores(one({ tokens: 1, gaps: [9] }))).toEqual({ greedy: 0.25 })
  })

  test('sampled: one half is what was expected', () => {
    expect(scores(sampled(0))).toEqual({ sampled: 0.5 })
    expect(scores(sampled(10)).sampled).toBeGreaterThan(0.6)
    expect(scores(sampled(1_000))).toEqual({ sampled: 1 })
    expect(scores(sampled(-1_000))).toEqual({ sampled: 0 })
  })

  test('log-probabilities: from enough positions only', () => {
    expect(scores(sampled(0, Array(8).fill(0.45))).logprobs).toBeCloseTo(0.5, 9)
    expect(scores(sampled(0, Array(7).fill(9))).logprobs).toBeUndefined()
    expect(scores(sampled(0, Array(50).fill(0.2))).logprobs).toBe(0)
  })

  test('prompt: some tokens more are free, and any number fewer', () => {
    expect(scores(one({ promptExcess: 8 })).prompt).toBe(0)
    expect(scores(one({ promptExcess: 9 })).prompt).toBe(1)
    expect(scores(one({ promptExcess: -90 })).prompt).toBe(0)
    expect(scores(one({})).prompt).toBeUndefined()
  })

  test('what is no number is a bug and not evidence', () => {
    expect(() => scores(sampled(Number.NaN))).toThrow('not a number')
  })
})

describe('of', () => {
  test('nothing observed, nothing said', () => {
    expect(Judgement.of([])).toMatchObject({ outcome: undefined })
    expect(Judgement.of([]).evidence).toBeCloseTo(1, 9)
  })

  test('answers full of gaps are not consistent soon, and no longer once honest ones drown them', () => {
    const bad = many(5, greedy(9, 9, 9, 9, 9))
    expect(Judgement.of(bad).outcome).toBe('not-consistent')
    expect(Judgement.of(bad.slice(0, 1)).outcome).toBeUndefined()
    expect(Judgement.of([...many(300, greedy()), greedy(9, 9, 9, 9, 9)]).outcome).toBeUndefined()
  })

  test('log-probabilities and likelihood each suffice', () => {
    expect(Judgement.of(many(6, sampled(0, Array(30).fill(0.7)))).outcome).toBe('not-consistent')
    expect(Judgement.of(many(40, sampled(25))).outcome).toBe('not-consistent')
  })

  test('so do prompts of another length', () => {
    expect(Judgement.of(many(3, one({ promptExcess: 26 }))).outcome).toBe('not-consistent')
    expect(Judgement.of(many(1, one({ promptExcess: 26 }))).outcome).toBeUndefined()
  })

  test('consistent needs both kinds of answers', () => {
    expect(Judgement.of(many(200, greedy())).outcome).toBeUndefined()
    expect(Judgement.of(many(200, sampled(0))).outcome).toBeUndefined()
    expect(Judgement.of(many(120, greedy(), sampled(0))).outcome).toBe('consistent')
  })

  test('and where log-probabilities are given, those too', () => {
    const nearly = Array(30).fill(0.345)
    expect(Judgement.of(many(50, greedy(), sampled(0, nearly))).outcome).not.toBe('consistent')
    expect(Judgement.of(many(120, greedy(), sampled(0, Array(30).fill(0.1)))).outcome).toBe('consistent')
  })

  test('intervals hold what was seen', () => {
    const found = Judgement.intervals(many(120, greedy(), sampled(0)))
    expect(found.greedy.low).toBe(0)
    expect(found.greedy.high).toBeLessThan(Params.signals.greedy.faulty)
    expect(found.logprobs).toEqual({ low: 0, high: 1 })
  })
})

describe('progress', () => {
  test('from nothing to one, towards what the answers say', () => {
    const at = (observations: readonly Observation[]) => Judgement.progress(Judgement.of(observations))
    expect(at([])).toEqual({ consistent: 0, notConsistent: 0 })
    const bad = at([greedy(9, 9, 9, 9, 9)])
    expect(bad.consistent).toBe(0)
    expect(bad.notConsistent).toBeGreaterThan(0)
    expect(bad.notConsistent).toBeLessThan(1)
    const good = at(many(20, greedy(), sampled(0)))
    expect(good.notConsistent).toBe(0)
    expect(good.consistent).toBeGreaterThan(0)
    expect(at(many(200, greedy(), sampled(0)))).toMatchObject({ consistent: 1 })
    expect(at(many(200, greedy(9, 9, 9, 9, 9)))).toMatchObject({ notConsistent: 1 })
  })
})
