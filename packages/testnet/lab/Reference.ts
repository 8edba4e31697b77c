import type { Engine } from '@counterfoil/engines'
import { type Job, type Runtime, SampledParams, Score, Statistic, type Trace } from '@counterfoil/protocol'
import type { Behaviour } from './Behaviour.ts'
import type { Lab } from './Lab.ts'

const [fullFactor] = SampledParams.logprobFactors

/** What an audit found and what it cost. */
export type Audit = {
  readonly statistics: readonly Statistic.Statistic[]
  readonly promptTokens: number
  readonly firstMs: number
  /** 0 where no token needed the second scoring. */
  readonly secondMs: number
}

/** Two numerically different scorings of the declared weights: past keys and values in f16 and in f32. */
export type Reference = AsyncDisposable & {
  readonly runtimes: readonly [Runtime.Runtime, Runtime.Runtime]
  audit(job: Job.Job, trace: readonly Trace.Token[]): Promise<Audit>
}

export async function open(lab: Lab, kind: NonNullable<Behaviour['reference']>): Promise<Reference> {
  const exact = kind === 'exact'
  const first = await lab.engine('declared', { exact })
  const second = await lab.engine('declared', { exact, kvCache: 'f32' })
  return {
    runtimes: [first.runtime, second.runtime],
    audit: async (job, trace) => {
      const { promptTokens: prompt } = await first.prepare(job, { startedMs: 0 })
      const score = async (engine: Engine.Engine) => {
        const began = performance.now()
        const scored = await engine.score({
          prompt,
          tokens: trace.map((one) => one.id),
          top: SampledParams.referenceCandidates,
        })
        return { references: scored.map(toReference), ms: performance.now() - began }
      }
      const one = await score(first)
      const alone = statistics(job, trace, [one.references])
      // For whichever factor a calibration picks: the full one needs the second scoring most often.
      if (!alone.some((one) => Score.token(one, fullFactor) > 0))
        return { statistics: alone, promptTokens: prompt.length, firstMs: one.ms, secondMs: 0 }
      const other = await score(second)
      return {
        statistics: statistics(job, trace, [one.references, other.references]),
        promptTokens: prompt.length,
        firstMs: one.ms,
        secondMs: other.ms,
      }
    },
    [Symbol.asyncDispose]: async () => {
      await first[Symbol.asyncDispose]()
      await second[Symbol.asyncDispose]()
    },
  }
}

function statistics(
  job: Job.Job,
  trace: readonly Trace.Token[],
  scorings: readonly (readonly Statistic.Reference[])[],
): readonly Statistic.Statistic[] {
  return trace.map((token, position) => {
    const draw = {
      temperature: job.temperature,
      topP: job.topP,
      seed: job.samplerSeed,
      choice: 0,
      position,
    }
    const [first, second] = scorings.map((one) => one[position])
    if (!first) throw new RangeError(`the reference scored ${position} of ${trace.length} tokens`)
    return Statistic.of(token, draw, second ? [first, second] : [first])
  })
}

/** The 128 highest, and the claimed token besides. */
function toReference({ token, logit, logprob, top }: Engine.Scored): Statistic.Reference {
  const isIncluded = top.some((one) => one.id === token)
  return { candidates: isIncluded ? top : [...top, { id: token, logit }], logprob }
}
