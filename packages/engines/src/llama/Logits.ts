import type { Sampler } from '@counterfoil/protocol'
import type { Token } from 'node-llama-cpp'

/** What the model says after a token: the highest raw logits in the sampler's order, those asked for, and the softmax's sum. */
export type Next = {
  readonly candidates: readonly Sampler.Candidate[]
  readonly logits: ReadonlyMap<number, number>
  /** Sum of `exp(logit - highest logit)` over the whole vocabulary. */
  readonly weight: number
}

/** Temperature 0 keeps llama.cpp's own sampler from touching the logits before they are read. */
export function question({ width, token }: { readonly width: number; readonly token?: number | undefined }) {
  return {
    generateNext: {
      token: true,
      totalLogitWeight: true,
      logits: { filter: { tokens: token === undefined ? [] : [token as Token], includeTop: width } },
      options: { temperature: 0 },
    },
  }
}

export function read(
  output: { logits?: ReadonlyMap<number, number>; totalLogitWeight?: number } | undefined,
): Next {
  const { logits, totalLogitWeight: weight } = output ?? {}
  if (!logits || weight === undefined)
    throw new Error('llama.cpp returned no logits for a position that was asked for')
  const candidates = [...logits]
    .map(([id, logit]) => ({ id, logit }))
    .sort((a, b) => b.logit - a.logit || a.id - b.id)
  return { candidates, logits, weight }
}

export function of(next: Next, token: number): number {
  const logit = next.logits.get(token)
  if (logit === undefined) throw new RangeError(`token ${token} is not in the model's vocabulary`)
  return logit
}

/** `l_t - l_max - ln(sum of exp(l - l_max))`, in nats at T = 1. */
export function logprob(next: Next, token: number): number {
  return of(next, token) - (next.candidates[0]?.logit ?? Number.NaN) - Math.log(next.weight)
}
