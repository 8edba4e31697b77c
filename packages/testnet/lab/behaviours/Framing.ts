import type { Engine } from '@counterfoil/engines'
import {
  Bytes,
  Digest,
  type Job,
  Margin,
  Nonce,
  Params as Protocol,
  SampledParams,
  Sampler,
} from '@counterfoil/protocol'
import type { Asker, Behaviour } from '../Behaviour.ts'
import type { Lab } from '../Lab.ts'
import * as Prompts from '../Prompts.ts'
import * as Random from '../Random.ts'
import { provider, serve } from './Serving.ts'

/** Prompts an answer is picked from, nonces tried on the best of them, and nonces whose whole answer is simulated. */
const prompts = 6
const nonces = 1_024
const simulated = 3
/** A draw whose two best scores lie nearer than this, in logits, is a near-tie. */
const nearTie = 0.3
/** Prompts as no user writes them, on which arithmetic strays the most. */
const oddities = [
  'ᛇᚺ',
  '\u0000',
  '￼',
  '𝔘𝔫𝔦',
  ' the the',
  '})();',
  'ÃÂ',
  '１２',
  '\t\t',
  'zxqj',
  '…',
  '🙃',
  'ø̶',
  'SolidGoldMagikarp',
  '\\u202e',
  '0x00',
]

/**
 * An honest provider and an auditor who wants it convicted: it has the weights, both references and the provider's own
 * runtime, and picks odd prompts on which the two references differ most, then the nonces with most near-ties. On a
 * network it could pick no nonce at all, because the beacon makes them after the prompts are committed to.
 */
export const framing: Behaviour = {
  name: 'honest-framed',
  kind: 'honest',
  title: 'honest, against a framing auditor (prompts and nonces searched for near-ties)',
  tokens: 1_500,
  mix: 'plain',
  open: async (lab) => provider(await lab.engine('declared')),
  openAsker,
}

async function openAsker(lab: Lab): Promise<Asker> {
  const first = await lab.engine('declared')
  const second = await lab.engine('declared', { kvCache: 'f32' })
  return {
    ask: async (i) => {
      const candidates = Array.from({ length: prompts }, (_, k) => odd(lab, i * prompts + k))
      const measured = []
      for (const asked of candidates) measured.push(await measure(asked))
      const [worst] = measured.sort((a, b) => b.spread - a.spread)
      if (!worst) throw new RangeError('no prompt to pick from')
      const seeds = Array.from({ length: nonces }, (_, k) => seedOf(`${i} ${k}`))
        .map((seed) => ({ seed, gap: gapOf(worst.candidates, seed, 0) }))
        .sort((a, b) => a.gap - b.gap)
        .slice(0, simulated)
      const outcomes = []
      for (const { seed } of seeds) {
        const job = { ...worst.asked.job, samplerSeed: seed }
        outcomes.push({ job, ties: await countTies(first, job) })
      }
      const [best] = outcomes.sort((a, b) => b.ties - a.ties)
      return { ...worst.asked, ...(best && { job: best.job }) }
    },
    [Symbol.asyncDispose]: async () => {
      await first[Symbol.asyncDispose]()
      await second[Symbol.asyncDispose]()
    },
  }

  async function measure(asked: Prompts.Asked) {
    const { promptTokens: prompt } = await first.prepare(asked.job, { startedMs: 0 })
    const score = async (engine: Engine.Engine) => {
      const [one] = await engine.score({ prompt, tokens: [0], top: SampledParams.referenceCandidates })
      return one?.top ?? []
    }
    const [one, other] = [await score(first), await score(second)]
    return { asked, candidates: one, spread: Margin.spread(one, other) }
  }
}

/** Near-ties along the answer that the provider is going to give. */
async function countTies(engine: Engine.Engine, job: Job.Job): Promise<number> {
  const { promptTokens: prompt } = await engine.prepare(job, { startedMs: 0 })
  const tokens = (await serve(engine, job)).map((one) => one.id)
  const scored = await engine.score({ prompt, tokens, top: SampledParams.referenceCandidates })
  return scored.filter((one, position) => gapOf(one.top, job.samplerSeed, position) < nearTie).length
}

/** How far the best score lies above the second. */
function gapOf(candidates: readonly Sampler.Candidate[], seed: Bytes.Hex, position: number): number {
  const scores = candidates
    .slice(0, Protocol.samplerCandidates)
    .map((one) => one.logit + Sampler.noise(one.id, { seed, choice: 0, position }))
  const [best = 0, next = 0] = scores.sort((a, b) => b - a)
  return best - next
}

function odd(lab: Lab, i: number): Prompts.Asked {
  const random = Random.from(`odd ${i}`)
  const words = Array.from({ length: 4 + random.integer(24) }, () => random.pick(oddities)).join(
    random.pick(['', ' ', '\n']),
  )
  const asked = Prompts.ask({ series: 'framing', i, mix: 'plain', model: lab.model })
  return { ...asked, job: { ...asked.job, messages: [{ role: 'user', content: words }] } }
}

function seedOf(name: string): Bytes.Hex {
  return Nonce.samplerSeed(Bytes.toHex(Digest.sha256(Bytes.fromText(`framing nonce ${name}`))))
}
