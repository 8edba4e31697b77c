import { type Engine, Llama, Tokenizer } from '@counterfoil/engines'
import {
  type Bytes,
  type Job,
  Runtime,
  SampledParams,
  Score,
  Statistic,
  type Trace,
} from '@counterfoil/protocol'
import type { Vocabulary } from './Reading.ts'

/** A model's own weights on this machine, scored in two ways that differ numerically (spec/sampled.md). */
export interface Scorer extends AsyncDisposable {
  readonly vocabulary: Vocabulary
  /** Runtimes of the two scorings. */
  references(): Promise<readonly [Bytes.Hex, Bytes.Hex]>
  /** @throws {Margin.ScoringError} for weights or engines that give no numbers; {EngineRefusal} for what is too long. */
  score(asked: Asked): Promise<Scored>
}

export type Asked = {
  readonly job: Job.Job
  /** The claim's start: what the chat template takes for now. */
  readonly startedMs: number
  readonly tokens: readonly Trace.Token[]
  /** Which of several answers to the one prompt these tokens are; each has noise of its own. 0 if left out. */
  readonly choice?: number
  /** When the second scoring is made: where X under this factor is above 0, or where any token scores. */
  readonly second: { readonly where: 'answer'; readonly logprobFactor: number } | { readonly where: 'token' }
}
export type Scored = {
  readonly promptTokens: number
  readonly statistics: readonly Statistic.Statistic[]
}

export type Options = {
  readonly modelPath: string
  readonly contextLength: number
  readonly threads: number
}

/**
 * Opens a GGUF file for scoring: keys and values in F16 first, in F32 where the first leaves a doubt.
 * @example await using scorer = await Scorer.open({ modelPath, contextLength: 2560, threads: 1 })
 */
export async function open(options: Options): Promise<Scorer> {
  const tokenizer = await Tokenizer.open(options)
  const first = await Llama.create({ ...options, kvCache: 'f16' })
  let second: Promise<Engine.Engine> | undefined
  const precise = () => {
    second ??= Llama.create({ ...options, kvCache: 'f32' })
    return second
  }
  return {
    ...of({ vocabulary: tokenizer, first, second: precise }),
    async [Symbol.asyncDispose]() {
      await first[Symbol.asyncDispose]()
      await (await second)?.[Symbol.asyncDispose]()
      await tokenizer[Symbol.asyncDispose]()
    },
  }
}

/** The scorer of two engines; the second is asked for when it is needed. */
export function of(by: {
  readonly vocabulary: Vocabulary
  readonly first: Engine.Engine
  readonly second: () => Promise<Engine.Engine>
}): Omit<Scorer, typeof Symbol.asyncDispose> {
  return {
    vocabulary: by.vocabulary,
    references: async () => [Runtime.id(by.first.runtime), Runtime.id((await by.second()).runtime)],
    async score({ job, startedMs, tokens, choice = 0, second }) {
      const about = { job, tokens, choice }
      const { promptTokens: prompt } = await by.first.prepare(job, { startedMs })
      const one = await references(by.first, prompt, tokens)
      const alone = statistics(about, [one])
      const isClear =
        second.where === 'answer'
          ? !Score.needsSecond(alone, second.logprobFactor)
          : alone.every((statistic) => Score.token(statistic, SampledParams.logprobFactors[0]) === 0)
      if (isClear) return { promptTokens: prompt.length, statistics: alone }
      const other = await references(await by.second(), prompt, tokens)
      return { promptTokens: prompt.length, statistics: statistics(about, [one, other]) }
    },
  }
}

async function references(
  engine: Engine.Engine,
  prompt: readonly number[],
  tokens: readonly Trace.Token[],
): Promise<readonly Statistic.Reference[]> {
  const ids = tokens.map((one) => one.id)
  const scored = await engine.score({ prompt, tokens: ids, top: SampledParams.referenceCandidates })
  if (scored.length !== tokens.length)
    throw new Error(`the reference scored ${scored.length} of ${tokens.length} tokens; report this as a bug`)
  return scored.map(({ token, logit, logprob, top }) => ({
    // The claimed token's own logit says more than "not above the 128th".
    candidates: top.some((one) => one.id === token) ? top : [...top, { id: token, logit }],
    logprob,
  }))
}

function statistics(
  {
    job,
    tokens,
    choice,
  }: { readonly job: Job.Job; readonly tokens: readonly Trace.Token[]; readonly choice: number },
  scorings: readonly (readonly Statistic.Reference[])[],
): readonly Statistic.Statistic[] {
  const { temperature, topP, samplerSeed: seed } = job
  return tokens.map((token, position) => {
    const [first, second] = scorings.map((one) => one[position])
    if (!first) throw new RangeError(`no reference for token ${position}`)
    const draw = { temperature, topP, seed, choice, position }
    return Statistic.of(token, draw, second ? [first, second] : [first])
  })
}
