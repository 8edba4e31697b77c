import type { Bytes } from '../../src/index.ts'
import * as Calibration from '../../src/sampled/Calibration.ts'
import * as CalibrationRecords from '../../src/sampled/CalibrationRecords.ts'
import type * as History from '../../src/sampled/History.ts'
import * as Example from '../Example.ts'

// One honest calibration and a small history, for tests and vectors. Digests are filled bytes: they name nothing.

const fill = (byte: string): Bytes.Hex => `0x${byte.repeat(32)}`
const address = (byte: string): Bytes.Hex => `0x${byte.repeat(20)}`

export const auditor = address('a1')
export const otherAuditor = address('a2')
export const gateway = address('61')

export const subject: CalibrationRecords.Subject = {
  model: fill('0d'),
  runtime: fill('c1'),
  references: [fill('c2'), fill('c3')],
  created: Example.day,
}

/** Two machines, together 40,000 tokens, of which three show a little and one all. */
export const runs: readonly CalibrationRecords.Run[] = [fill('e1'), fill('e2')].map((machine) => ({
  machine,
  answers: Array.from({ length: 400 }, (_, answer) =>
    Array.from({ length: 50 }, (_, token) => {
      const first =
        token > 0 || answer > 1 ? 0 : answer === 0 ? 1_500 : machine === fill('e1') ? 1_300 : 9_000
      return { first, second: first, spread: 0, logprob: 0 }
    }),
  ),
}))

export const calibration = CalibrationRecords.fit(runs, subject)

export const opened: History.Opened = {
  state: 'opened',
  commit: 7,
  leaf: 0,
  auditor,
  claim: fill('11'),
  tokens: 50,
  x: 0,
  strata: { context: '512', language: 'en', sampling: 'plain', gateway },
  openedAt: Example.day,
}

export const history: History.History = {
  schema: 'counterfoil/history/1',
  domain: Example.domain,
  provider: address('b1'),
  model: subject.model,
  calibration: Calibration.id(calibration),
  entries: [
    opened,
    { state: 'unopened', commit: 7, leaf: 3, auditor },
    {
      ...opened,
      commit: 9,
      auditor: otherAuditor,
      claim: fill('12'),
      tokens: 131_072,
      x: 1_000_000,
      strata: { context: 'more', language: 'und', sampling: 'greedy', gateway: address('62') },
      openedAt: Example.day + 60,
    },
  ],
}

/** So many audits of one auditor with these X, one a minute up to `now`. */
export function audits(
  xs: readonly number[],
  input: { readonly now: number; readonly by?: Bytes.Hex; readonly fromCommit?: number },
): readonly History.Opened[] {
  const { now, by = auditor, fromCommit = 0 } = input
  return xs.map((x, i) => ({
    ...opened,
    commit: fromCommit + i,
    auditor: by,
    claim: `0x${by.slice(2, 6)}${(fromCommit + i).toString(16).padStart(60, '0')}`,
    x,
    openedAt: now - 60 * (xs.length - 1 - i),
  }))
}
