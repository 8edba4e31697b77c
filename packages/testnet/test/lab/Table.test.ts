import { describe, expect, test } from 'vitest'
import * as Objective from '../../lab/Objective.ts'
import * as Prompts from '../../lab/Prompts.ts'
import * as Table from '../../lab/Table.ts'

const page = (inside: string) =>
  `before\n<!-- lab:begin (written by npm run lab -- replay --write) -->${inside}<!-- lab:end -->\nafter\n`

describe('the page', () => {
  test('has its tables replaced and the rest left alone', () => {
    expect(Table.insert(page('\n\nold\n\n'), 'new')).toBe(page('\n\nnew\n\n'))
  })

  test.each(['', 'no markers', page('') + page(''), page('').replace('<!-- lab:end -->', '')])(
    'without exactly one place for them it is refused',
    (text) => {
      expect(() => Table.insert(text, 'new')).toThrow(Table.MarkerError)
    },
  )
})

test('false counts and withheld traces are refused by whoever checks the claim, the honest claim is not', async () => {
  const judged = await Objective.judge({ now: 1_770_000_000_000 })
  expect(judged.map(({ name, outcome, reason }) => [name, outcome, reason.split(':')[0]])).toEqual([
    ['honest', 'holds', ''],
    ['inflated-output', 'fails', 'trace-mismatch'],
    ['inflated-prompt', 'fails', 'limit-exceeded'],
    ['inflated-charge', 'fails', 'charge-mismatch'],
    ['trace-withheld', 'fails', 'trace-withheld'],
    ['trace-swapped', 'fails', 'trace-mismatch'],
  ])
})

describe('prompts', () => {
  const ask = (i: number, series = 'a', mix: Prompts.Mix = 'varied') =>
    Prompts.ask({ series, i, mix, model: `0x${'11'.repeat(32)}` })

  test('follow from their series and number', () => {
    expect(ask(5)).toEqual(ask(5))
    expect(ask(5)).not.toEqual(ask(6))
    expect(ask(5).job.samplerSeed).not.toBe(ask(5, 'b').job.samplerSeed)
  })

  test('a varied mix covers languages, lengths and samplings; a plain one is T = 1', () => {
    const values = (of: (asked: Prompts.Asked) => string, mix: Prompts.Mix) =>
      [...new Set(Array.from({ length: 300 }, (_, i) => of(ask(i, 'a', mix))))].sort()
    expect(values((one) => one.stratum.language, 'varied')).toEqual(['de', 'en', 'es', 'fr'])
    expect(values((one) => one.stratum.length, 'varied')).toEqual(['long', 'short'])
    expect(values((one) => one.stratum.sampling, 'varied')).toEqual(['greedy', 'nucleus', 'plain'])
    const drawn = (one: Prompts.Asked) => `${one.stratum.sampling} ${one.job.temperature} ${one.job.topP}`
    expect(values(drawn, 'plain')).toEqual(['plain 1 1'])
    expect(values(drawn, 'varied')).toEqual(['greedy 0 1', 'nucleus 0.8 0.9', 'plain 1 1'])
  })
})
