import { Trace } from '@counterfoil/protocol'
import type { Behaviour } from '../Behaviour.ts'
import type { Weights } from '../Lab.ts'
import { provider, serve } from './Serving.ts'

// Cheats with other weights than the declared ones. Sampler and noise are as asked.

const onOther = (weights: Weights, title: string, tokens = 2_500): Behaviour => ({
  name: weights,
  kind: 'cheat',
  title,
  tokens,
  mix: 'plain',
  open: async (lab) => provider(await lab.engine(weights)),
})

export const q5 = onOther('q5_0', 'Q5_0 for Q4_1')
export const q4 = onOther('q4_0', 'Q4_0 for Q4_1')
export const noise = onOther('noise', 'another model: weights moved by 3 %')
export const pruned = onOther('pruned', 'a smaller model: two of thirty layers left out', 1_250)

/** The cheap model writes, the real one only scores the text, so that every log-probability is right. */
export const prefillAttack: Behaviour = {
  name: 'prefill-attack',
  kind: 'cheat',
  title: 'prefill attack: Q4_0 writes, Q4_1 scores',
  tokens: 2_500,
  mix: 'plain',
  series: 'q4_0',
  open: async (lab) => {
    const writer = await lab.engine('q4_0')
    const scorer = await lab.engine('declared')
    return {
      runtime: scorer.runtime,
      answer: async (job) => {
        const { promptTokens: prompt } = await writer.prepare(job, { startedMs: 0 })
        const tokens = (await serve(writer, job)).map((one) => one.id)
        const scored = await scorer.score({ prompt, tokens, top: 0 })
        return scored.map((one) => ({ id: one.token, logprob: Trace.quantize(one.logprob) }))
      },
      [Symbol.asyncDispose]: async () => {
        await writer[Symbol.asyncDispose]()
        await scorer[Symbol.asyncDispose]()
      },
    }
  },
}
