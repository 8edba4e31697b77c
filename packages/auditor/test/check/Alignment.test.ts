import { describe, expect, test } from 'vitest'
import * as Alignment from '../../src/check/Alignment.ts'

const words = ['<end>', 'a', 'b', 'ab', ' ', ' a', 'c', '<eot>'] as const
type Word = (typeof words)[number]
const id = (word: Word) => words.indexOf(word)
const bytes = (token: number) => Buffer.from(token === 0 || token === 7 ? '' : (words[token] ?? ''))

/** A position where the given word was drawn, and the logits of the likeliest, all others of no weight. */
function at(given: Word, logits: Partial<Record<Word, number>>) {
  const top = Object.entries(logits)
    .map(([word, logit]) => ({ id: id(word as Word), logit }))
    .sort((a, b) => b.logit - a.logit)
  const logSum = Math.log(top.reduce((sum, { logit }) => sum + Math.exp(logit), 0))
  const logit = logits[given] ?? -20
  return { token: id(given), logit, logprob: logit - logSum, top }
}

const aligned = (scored: readonly ReturnType<typeof at>[], ended = false): Alignment.Aligned => ({
  scored,
  ended,
  bytes,
  ends: [id('<end>'), id('<eot>')],
})

describe('gaps', () => {
  test('of the given token under the likeliest, none where it is the likeliest', () => {
    const found = Alignment.gaps(aligned([at('a', { a: 3, b: 1 }), at('b', { c: 4, b: 1.5 })]))
    expect(found).toEqual({ tokens: 2, gaps: [0, 2.5] })
  })

  test('the answer is read up to where the likeliest token leads to the same text by other tokens', () => {
    // 'ab' was written as canonical 'ab'; the reference would have begun with 'a'.
    const scored = [at('c', { c: 2, b: 0 }), at('ab', { a: 5, ab: 0 }), at('c', { b: 9, c: 0 })]
    expect(Alignment.gaps(aligned(scored))).toEqual({ tokens: 1, gaps: [0] })
    const longer = [at('a', { ab: 5, a: 0 }), at('b', { b: 1 })]
    expect(Alignment.gaps(aligned(longer)).tokens).toBe(0)
    const other = [at('a', { ab: 5, a: 0 }), at('c', { c: 1, a: 0 })]
    expect(Alignment.gaps(aligned(other))).toEqual({ tokens: 2, gaps: [5, 0] })
  })

  test('white space that a server cut off the beginning is no disagreement, later it is', () => {
    expect(Alignment.gaps(aligned([at('a', { ' a': 5, a: 0 })])).tokens).toBe(0)
    expect(Alignment.gaps(aligned([at('a', { ' ': 5, a: 0 })])).tokens).toBe(0)
    expect(Alignment.gaps(aligned([at('c', { c: 1 }), at('a', { ' a': 5, a: 0 })])).gaps).toEqual([0, 5])
  })

  test('the end counts as whichever end the reference likes best', () => {
    const ends = at('<end>', { '<eot>': 4, '<end>': 1, a: 3 })
    expect(Alignment.gaps(aligned([at('a', { a: 1 }), ends], true)).gaps).toEqual([0, 0])
    const goesOn = at('<end>', { a: 6, '<eot>': 4, '<end>': 1 })
    expect(Alignment.gaps(aligned([at('a', { a: 1 }), goesOn], true)).gaps).toEqual([0, 2])
    const blank = at('<end>', { ' ': 6, '<end>': 1 })
    expect(Alignment.gaps(aligned([at('a', { a: 1 }), blank], true)).tokens).toBe(1)
  })
})

describe('surprise', () => {
  test('is zero on average over what the reference would draw', () => {
    const logits = { a: 2, b: 1.2, c: 0.3, ' ': -0.5 } as const
    const total = Object.values(logits).reduce((sum, logit) => sum + Math.exp(logit), 0)
    const mean = (Object.keys(logits) as (keyof typeof logits)[])
      .map(
        (word) =>
          (Math.exp(logits[word]) / total) *
          Alignment.surprise(aligned([at('c', { c: 1 }), at(word, logits)])),
      )
      .reduce((sum, one) => sum + one, 0)
    expect(mean).toBeCloseTo(0, 12)
    expect(Alignment.surprise(aligned([at('c', { c: 1 }), at('a', logits)]))).toBeLessThan(0)
    expect(Alignment.surprise(aligned([at('c', { c: 1 }), at(' ', logits)]))).toBeGreaterThan(1)
  })

  test('stays zero on average where unlikely tokens are cut, and they themselves count nothing', () => {
    const logits = { a: 2, b: 1, c: 2 + Math.log(0.049) } as const
    const [p, q] = [Math.exp(2), Math.exp(1)].map((w) => w / (Math.exp(2) + Math.exp(1))) as [number, number]
    const of = (word: Word) => Alignment.surprise(aligned([at('b', { b: 1 }), at(word, logits)]))
    expect(p * of('a') + q * of('b')).toBeCloseTo(0, 12)
    expect(of('c')).toBe(0)
    expect(of(' ')).toBe(0)
  })

  test('is not held against the API where a likelier token leads to the same text', () => {
    const scored = [at('c', { c: 1 }), at('ab', { a: 2, ab: 0 })]
    expect(Alignment.surprise(aligned(scored))).toBe(0)
    expect(Alignment.surprise(aligned([at('c', { c: 1 }), at('ab', { c: 2, ab: 0 })]))).toBeGreaterThan(1)
  })

  test('the end is a token like others', () => {
    const drawn = (word: Word) => at(word, { a: 1, '<eot>': 0 })
    expect(Alignment.surprise(aligned([at('a', { a: 1 }), drawn('<end>')], true))).toBeCloseTo(
      1 / (1 + Math.exp(-1)),
      9,
    )
  })
})

describe('deviations', () => {
  const listed = (entries: Partial<Record<Word, number>>) =>
    Object.entries(entries).map(([word, logprob]) => ({ bytes: Buffer.from(word), logprob }))
  const step = (word: Word, entries: Partial<Record<Word, number>>) => ({
    bytes: Buffer.from(word),
    top: listed(entries),
  })

  test('are zero for the same values and for all of them shifted', () => {
    const scored = [at('a', { a: 0, b: -1, c: -2 })]
    expect(Alignment.deviations(aligned(scored), [step('a', { a: -0.1, b: -1.1, c: -2.1 })])[0]).toBeCloseTo(
      0,
      9,
    )
  })

  test('are the mean distance after the best shift', () => {
    const scored = [at('a', { a: 0, b: -1 })]
    expect(Alignment.deviations(aligned(scored), [step('a', { a: 0, b: -2 })])[0]).toBeCloseTo(0.5, 9)
  })

  test('end where the API cut its text otherwise, and leave out what cannot be compared', () => {
    const scored = [at('a', { a: 0, b: -1 }), at('b', { b: 0, a: -1 }), at('c', { c: 0, a: -1 })]
    const full = { a: 0, b: -1 } as const
    expect(
      Alignment.deviations(aligned(scored), [step('a', full), step('ab', full), step('c', full)]),
    ).toHaveLength(1)
    expect(Alignment.deviations(aligned(scored), [step('a', full), step('b', { b: 0 })])).toHaveLength(1)
    expect(Alignment.deviations(aligned(scored), [])).toEqual([])
  })
})
