import type { Llama } from '@counterfoil/engines'
import { Bytes, Digest, type Runtime, Sampler } from '@counterfoil/protocol'
import type { Lab, Weights } from '../../lab/Lab.ts'

const vocabulary = 200
const end = 3

/** How far each kind of weights strays from the declared ones, in logits. */
const strays: { readonly [weights in Weights]: number } = {
  declared: 0,
  q8_0: 0.01,
  q5_0: 0.3,
  q4_0: 0.8,
  noise: 0.5,
  pruned: 2,
}

/** A lab whose model is a hash of the last tokens: quick, the same everywhere, and with weights that can be cheated on. */
export function fakeLab(dir: string): Lab {
  return {
    dir,
    model: `0x${'11'.repeat(32)}`,
    path: (weights) => weights,
    engine: async (weights, options = {}) =>
      fakeEngine(weights, options.kvCache ?? 'f16', options.sequences ?? 1),
  }
}

function fakeEngine(weights: Weights, kvCache: 'f16' | 'f32', sequences: number): Llama.LlamaEngine {
  const runtime: Runtime.Runtime = {
    schema: 'counterfoil/runtime/1',
    engine: 'fake',
    version: weights,
    binary: `0x${'22'.repeat(32)}`,
    backend: 'cpu',
    numerics: { contextLength: 1024, batchSize: 512, threads: 1, flashAttention: false, kvCache },
    sampler: Sampler.id,
    grammar: 'none',
    determinism: 'statistical',
  }
  const next = (tokens: readonly number[]) => {
    const bytes = (name: string) => Digest.sha256(Bytes.fromText(`${name} ${tokens.slice(-3).join(' ')}`))
    const spread = (name: string, by: number) => {
      const seed = bytes(name)
      return (id: number) => (by * (((seed[id % 32] ?? 0) * (id + 1)) % 251)) / 251
    }
    const [own, stray] = [spread('declared', 6), spread(weights, strays[weights])]
    const numbers = spread(kvCache, 0.01)
    const candidates = Array.from({ length: vocabulary }, (_, id) => ({
      id,
      logit: own(id) + stray(id) + numbers(id),
    }))
    candidates.sort((a, b) => b.logit - a.logit || a.id - b.id)
    const highest = candidates[0]?.logit ?? 0
    const mass = Math.log(candidates.reduce((sum, one) => sum + Math.exp(one.logit - highest), 0)) + highest
    const logit = (token: number) => candidates.find((one) => one.id === token)?.logit ?? Number.NaN
    return { candidates, logit, logprob: (token: number) => logit(token) - mass }
  }
  return {
    pid: undefined,
    runtime,
    limits: { contextLength: 1024, sequences },
    prepare: async (job) => ({
      promptTokens: [...Digest.sha256(Bytes.fromText(JSON.stringify(job.messages)))].slice(0, 8),
      cachedTokens: 0,
      outputTokensMax: job.maxTokens,
    }),
    async *generate(prepared, job) {
      const tokens = [...prepared.promptTokens]
      for (let position = 0; position < job.maxTokens; position += 1) {
        const { candidates, logprob } = next(tokens)
        const token = Sampler.choose({
          ...{ candidates, temperature: job.temperature, topP: job.topP },
          ...{ seed: job.samplerSeed, choice: 0, position },
        })
        tokens.push(token)
        const finish = token === end ? 'stop' : position + 1 === job.maxTokens ? 'length' : undefined
        const step = { choice: 0, token, text: ' ', bytes: Uint8Array.of(32), logprob: logprob(token) }
        yield { ...step, ...(finish && { finish }) }
        if (finish) return
      }
    },
    score: async ({ prompt, tokens, top }) =>
      tokens.map((token, i) => {
        const { candidates, logit, logprob } = next([...prompt, ...tokens.slice(0, i)])
        return { token, logit: logit(token), logprob: logprob(token), top: candidates.slice(0, top) }
      }),
    [Symbol.asyncDispose]: async () => {},
  }
}
