import { Params as EngineParams } from '@counterfoil/engines'
import { Sampler } from '@counterfoil/protocol'
import { load, type Model } from '../../engines/src/llama/Model.ts'

/** llama.cpp through node-llama-cpp in this process: no process of its own, no text, no protocol around it. */
export type DirectLlama = AsyncDisposable & {
  /** Log-probabilities and the 64 highest logits of each token, and our sampler, as the provider needs them. */
  sampled(prompt: readonly number[], draw: Draw, onToken: (token: number) => void): Promise<void>
  /** The most likely token, picked by llama.cpp itself: what the same tokens cost where nobody asks how likely they were. */
  greedy(prompt: readonly number[], count: number, onToken: (token: number) => void): Promise<void>
}

export type Draw = {
  readonly seed: `0x${string}`
  readonly temperature: number
  readonly topP: number
  readonly count: number
}

type Sequence = ReturnType<Model['context']['getSequence']>
type Input = Parameters<Sequence['controlledEvaluate']>[0]
type Token = Extract<Input[number], number>
type Question = Exclude<Extract<Input[number], readonly unknown[]>[1], undefined>

const extraction: Question = {
  generateNext: {
    token: true,
    totalLogitWeight: true,
    logits: { filter: { tokens: [], includeTop: 64 + EngineParams.tieMarginLogits } },
    options: { temperature: 0 },
  },
}
const plain: Question = { generateNext: { token: true, options: { temperature: 0 } } }

/** Loaded with the settings of the provider's engine. */
export async function create(options: {
  readonly modelPath: string
  readonly threads: number
  readonly contextLength: number
}): Promise<DirectLlama> {
  const model = await load({
    ...options,
    sequences: 1,
    kvCache: 'f16',
    bindingFolder: undefined,
    determinism: 'statistical',
  })
  const sequence = model.context.getSequence()

  async function evaluate(tokens: readonly number[], question: Question) {
    const input = tokens.map((token) => token as Token)
    const last = input.at(-1)
    if (last === undefined) throw new RangeError('there is nothing to evaluate')
    const outputs = await sequence.controlledEvaluate([...input.slice(0, -1), [last, question]])
    const next = outputs.at(-1)?.next
    if (!next) throw new Error('llama.cpp returned nothing for the last token')
    return next
  }

  return {
    async sampled(prompt, { seed, temperature, topP, count }, onToken) {
      let input = prompt
      for (let position = 0; position < count; position += 1) {
        const { logits, totalLogitWeight } = await evaluate(input, extraction)
        if (!logits || totalLogitWeight === undefined) throw new Error('llama.cpp returned no logits')
        const candidates = [...logits].map(([id, logit]) => ({ id, logit }))
        const token = Sampler.choose({ candidates, temperature, topP, seed, choice: 0, position })
        onToken(token)
        input = [token]
      }
      await sequence.clearHistory()
    },
    async greedy(prompt, count, onToken) {
      let input = prompt
      for (let position = 0; position < count; position += 1) {
        const { token } = await evaluate(input, plain)
        if (token === undefined || token === null) throw new Error('llama.cpp picked no token')
        onToken(token)
        input = [token]
      }
      await sequence.clearHistory()
    },
    async [Symbol.asyncDispose]() {
      await model.model.llama.dispose()
    },
  }
}
