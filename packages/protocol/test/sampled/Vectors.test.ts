import { describe, expect, it } from 'vitest'
import { Bytes, Canonical, Decode, type Sampler } from '../../src/index.ts'
import * as Calibration from '../../src/sampled/Calibration.ts'
import * as EProcess from '../../src/sampled/EProcess.ts'
import * as History from '../../src/sampled/History.ts'
import * as Margin from '../../src/sampled/Margin.ts'
import * as Score from '../../src/sampled/Score.ts'
import * as Statistic from '../../src/sampled/Statistic.ts'
import { read } from '../vectors/read.ts'

type Sampled = Partial<Margin.Claimed> & {
  readonly candidates?: readonly Sampler.Candidate[]
  readonly margin?: number
  readonly reported?: number
  readonly reference?: number
  readonly isBound?: boolean
  readonly statistics?: readonly Statistic.Statistic[]
  readonly bytes?: Bytes.Hex
  readonly logprobFactor?: number
  readonly scores?: readonly number[]
  readonly x?: number
  readonly xs?: readonly number[]
  readonly mean?: number
  readonly value?: number
}

type Refused = { readonly json: unknown; readonly error: string; readonly at: string }

function refusal(decode: () => unknown): { readonly code?: string; readonly at?: string } {
  try {
    decode()
  } catch (error) {
    if (error instanceof Decode.DecodeError) return { code: error.code, at: error.at }
    throw error
  }
  return {}
}

describe('spec/vectors/sampled', () => {
  it.each(read<Sampled>('sampled', 'valid'))('$name', (one) => {
    const { candidates, margin, reported, reference, statistics, bytes, xs } = one
    const { token = 0, temperature = 1, topP = 1, seed = '0x', choice = 0, position = 0 } = one
    if (candidates) {
      const found = Margin.of(candidates, { token, temperature, topP, seed, choice, position })
      expect(Math.floor(found * 10_000)).toBe(margin)
    }
    if (reported !== undefined && reference !== undefined)
      expect(
        Math.floor(10_000 * Margin.ofLogprob({ reported, reference, isBound: one.isBound ?? false })),
      ).toBe(margin)
    if (statistics) {
      expect(Statistic.decode(Bytes.fromHex(bytes ?? ''))).toEqual(statistics)
      expect(statistics.map((each) => Score.token(each, one.logprobFactor ?? -1))).toEqual(one.scores)
      expect(Score.answer(statistics, one.logprobFactor ?? -1)).toBe(one.x)
    }
    if (xs) {
      const process = xs.reduce<EProcess.EProcess>(
        (all, x) => EProcess.next(all, { x, mean: one.mean ?? 0 }),
        EProcess.start,
      )
      expect(EProcess.value(process) / (one.value ?? 0)).toBeCloseTo(1, 10)
    }
    expect([candidates, reported, statistics, xs].filter((part) => part !== undefined)).toHaveLength(1)
  })

  it.each(read<{ bytes: string; error: string; at: string }>('sampled', 'invalid'))(
    'refuses $name',
    ({ bytes, error, at }) => {
      expect(refusal(() => Statistic.decode(Bytes.fromHex(bytes)))).toEqual({ code: error, at })
    },
  )
})

describe('spec/vectors/calibration', () => {
  it.each(read<{ calibration: unknown; canonical: string; id: string }>('calibration', 'valid'))(
    '$name',
    ({ calibration, canonical, id }) => {
      const decoded = Calibration.decode(calibration)
      expect(Canonical.encode(decoded)).toBe(canonical)
      expect(Calibration.id(decoded)).toBe(id)
    },
  )

  it.each(read<Refused>('calibration', 'invalid'))('refuses $name', ({ json, error, at }) => {
    expect(refusal(() => Calibration.decode(json))).toEqual({ code: error, at })
  })
})

describe('spec/vectors/history', () => {
  it.each(read<{ history: unknown; canonical: string; id: string }>('history', 'valid'))(
    '$name',
    ({ history, canonical, id }) => {
      const decoded = History.decode(history)
      expect(Canonical.encode(decoded)).toBe(canonical)
      expect(History.id(decoded)).toBe(id)
    },
  )

  it.each(read<Refused>('history', 'invalid'))('refuses $name', ({ json, error, at }) => {
    expect(refusal(() => History.decode(json))).toEqual({ code: error, at })
  })
})
