import { EProcess } from '@counterfoil/protocol'
import { describe, expect, test } from 'vitest'
import * as Random from '../../lab/Random.ts'
import * as Replay from '../../lab/Replay.ts'

const clean = { x: 0, tokens: 50 }
const bad = { x: 1_000_000, tokens: 40 }
const mean = 5_000

describe('replay', () => {
  test('a blatant cheat is convicted at the answer where the process says so', () => {
    let process = EProcess.start
    let answers = 0
    while (EProcess.value(process) < 1e6) {
      process = EProcess.next(process, { x: bad.x, mean })
      answers += 1
    }
    const found = Replay.convict(Replay.resample([bad]), { seed: 'a', mean, answersMax: 100 })
    expect(found).toEqual({ answers, tokens: 40 * answers })
    expect(Replay.convict(Replay.resample([bad]), { seed: 'a', mean, answersMax: answers - 1 })).toBe(
      undefined,
    )
  })

  test('past honesty delays a conviction, and is counted from', () => {
    const { end, peak } = Replay.endure(Replay.resample([clean]), { seed: 'b', mean, tokens: 10_000 })
    expect(end.answers).toBe(200)
    expect(peak).toBe(1)
    const fresh = Replay.convict(Replay.resample([bad]), { seed: 'c', mean, answersMax: 100 })
    const late = Replay.convict(Replay.resample([bad]), { seed: 'c', mean, from: end, answersMax: 100 })
    expect(late?.answers).toBeGreaterThan(fresh?.answers ?? Number.NaN)
  })

  test('the peak is the highest value, not the last', () => {
    const answers = [bad, ...Array.from({ length: 1_000 }, () => clean)]
    let i = -1
    const inOrder = () => {
      i += 1
      return answers[i] ?? clean
    }
    const { peak, end } = Replay.endure(inOrder, { seed: 'd', mean, tokens: 20_000 })
    expect(peak).toBeGreaterThan(EProcess.value(end))
    expect(peak).toBe(EProcess.value(EProcess.next(EProcess.start, { x: bad.x, mean })))
  })

  test('mixtures have their share, the worst of many is the worst', () => {
    const [honest, cheat] = [Replay.resample([clean]), Replay.resample([bad])]
    const drawn = Replay.drawMany(Replay.mixture(honest, cheat, 0.05), { seed: 'e', answers: 10_000 })
    const share = drawn.filter((one) => one === bad).length / drawn.length
    expect(Math.abs(share - 0.05)).toBeLessThan(0.01)
    const worst = Replay.drawMany(Replay.worstOf(Replay.resample([clean, bad]), 48), {
      seed: 'f',
      answers: 100,
    })
    expect(worst.every((one) => one === bad)).toBe(true)
  })

  test('quantiles count runs without conviction as longest', () => {
    const of = (answers: number) => ({ answers, tokens: 10 * answers })
    const runs = [...Array.from({ length: 19 }, (_, i) => of(i + 1)), undefined]
    expect(Replay.summarize(runs)).toEqual({
      ...{ runs: 20, convicted: 19, answersMedian: 10, answersP95: 19, tokensMedian: 100, tokensP95: 190 },
    })
    expect(Replay.summarize([of(1), undefined, undefined]).answersMedian).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('seeded numbers', () => {
  test('follow from their name, lie in range and spread evenly', () => {
    const draw = (name: string) => {
      const random = Random.from(name)
      return Array.from({ length: 4_000 }, () => random.next())
    }
    expect(draw('a')).toEqual(draw('a'))
    expect(draw('a')[0]).not.toBe(draw('b')[0])
    const mean = draw('a').reduce((sum, one) => sum + one, 0) / 4_000
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.03)
    const random = Random.from('c')
    const counts = [0, 0, 0]
    for (let i = 0; i < 3_000; i += 1) counts[random.integer(3)] = (counts[random.integer(3)] ?? 0) + 1
    expect(Math.min(...counts)).toBeGreaterThan(850)
    expect(() => random.pick([])).toThrow('nothing')
  })
})
