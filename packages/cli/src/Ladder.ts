import type { Bytes, Policy, Report, Verdict } from '@counterfoil/protocol'
import type { Terminal } from './Terminal.ts'

const marks = { holds: '+', fails: 'x', unknown: '?' } as const

/** Every rung with its verdict, what it proves and what it does not. */
export function print(terminal: Terminal, { verdicts, policy, judgement }: Report): void {
  const { colors } = terminal
  for (const verdict of verdicts) {
    const { rung, outcome, proves, doesNotProve, reason } = verdict
    const why = reason && outcome !== 'holds' ? `: ${reason.message}` : ''
    const line = `  ${marks[outcome]} ${rung.padEnd(9)}  ${outcome}${why}`
    terminal.print(paint(terminal, outcome)(line))
    terminal.print(
      colors.dim(`      ${outcome === 'holds' ? 'proves        ' : 'would prove   '}  ${proves}`),
    )
    terminal.print(colors.dim(`      does not prove  ${doesNotProve}`))
    for (const [name, text] of figures(verdict))
      terminal.print(colors.dim(`      ${name.padEnd(14)}  ${text}`))
  }
  terminal.print(
    judgement.met
      ? `  policy: at least ${policy.least}: ${colors.green('met')}`
      : `  policy: at least ${policy.least}: ${colors.red('not met')}, rung ${judgement.rung}: ${judgement.reason.code}`,
  )
}

/** What the evidence of a rung about many answers covers, what it could find, and why nothing should be done about it. */
function figures({
  rung,
  outcome,
  errorBound,
  covers,
  smallestDetectable,
  advisory,
}: Verdict.Verdict): readonly (readonly [string, string])[] {
  return [
    ...(covers === undefined ? [] : [['covers', covers] as const]),
    ...(rung === 'sampled' && outcome !== 'unknown' ? [['error at most', `${errorBound}`] as const] : []),
    ...(smallestDetectable === undefined ? [] : [['would find', smallestDetectable] as const]),
    ...(advisory === undefined ? [] : [['advisory', advisory] as const]),
  ]
}

/** The ladder in one line, for a conversation. */
export function line(terminal: Terminal, { verdicts }: Report): string {
  const known = verdicts.filter(({ outcome }) => outcome !== 'unknown')
  const unknown = verdicts.filter(({ outcome }) => outcome === 'unknown').map(({ rung }) => rung)
  return [
    ...known.map(({ rung, outcome }) => paint(terminal, outcome)(`${rung} ${outcome}`)),
    ...(unknown.length > 0 ? [terminal.colors.dim(`${unknown.join(', ')} unknown`)] : []),
  ].join(' · ')
}

function paint({ colors }: Terminal, outcome: Verdict.Verdict['outcome']): (text: string) => string {
  return { holds: colors.green, fails: colors.red, unknown: colors.yellow }[outcome]
}

/** The shape of a report in `--json`. */
export type Json = {
  readonly claimId: Bytes.Hex
  readonly policy: Policy.Policy
  readonly met: boolean
  readonly judgement: Policy.Judgement
  readonly verdicts: readonly Verdict.Verdict[]
}

export function toJson({ claimId, verdicts, policy, judgement }: Report): Json {
  return { claimId, policy, met: judgement.met, judgement, verdicts }
}
