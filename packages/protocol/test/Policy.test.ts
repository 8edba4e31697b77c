import { describe, expect, it } from 'vitest'
import { Policy, Verdict } from '../src/index.ts'

const outcomes = ['holds', 'fails', 'unknown'] as const
type Outcome = (typeof outcomes)[number]

/** All 729 combinations of outcomes over the six rungs. */
const combinations = Verdict.rungs.reduce<readonly (readonly Outcome[])[]>(
  (some) => some.flatMap((one) => outcomes.map((outcome) => [...one, outcome])),
  [[]],
)

function verdictOf(rung: Verdict.Rung, outcome: Outcome): Verdict.Verdict {
  if (outcome === 'holds') return Verdict.holds(rung)
  return outcome === 'fails'
    ? Verdict.fails(rung, 'signature-invalid', `${rung} fails`)
    : Verdict.unknown(rung, 'not-available', `${rung} unknown`)
}

describe('Policy.judge', () => {
  it.each(Verdict.rungs)(
    'at least %s: met when signed holds, it or (but for committed) a stronger one holds, none fails',
    (least) => {
      for (const combination of combinations) {
        const verdicts = Verdict.rungs.map((rung, i) => verdictOf(rung, combination[i] ?? 'unknown'))
        const judgement = Policy.judge(verdicts, { least })
        const own = Verdict.rungs.indexOf(least)
        const strong = combination.slice(own, least === 'committed' ? own + 1 : undefined).includes('holds')
        const met = combination[0] === 'holds' && strong && !combination.includes('fails')
        expect(judgement.met, combination.join()).toBe(met)
        if (judgement.met) continue
        const failing = Verdict.rungs[combination.indexOf('fails')]
        const rung = failing ?? (combination[0] === 'holds' ? least : 'signed')
        expect(judgement.rung).toBe(rung)
        expect(judgement.reason.message).toBe(`${rung} ${failing ? 'fails' : 'unknown'}`)
      }
    },
  )

  it('is not met by no verdicts at all', () => {
    expect(Policy.judge([], { least: 'signed' })).toEqual({
      met: false,
      rung: 'signed',
      reason: { code: 'input-missing', message: 'no verdict was given for this rung' },
    })
  })

  it('is not met where the rung asked for has no verdict', () => {
    expect(Policy.judge([Verdict.holds('signed')], { least: 'committed' })).toMatchObject({
      met: false,
      rung: 'committed',
    })
  })

  it('is not met by a stronger rung alone', () => {
    expect(Policy.judge([Verdict.holds('proved')], { least: 'signed' }).met).toBe(false)
  })
})
