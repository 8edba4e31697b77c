import * as Params from '../Params.ts'
import * as Sampler from '../Sampler.ts'
import * as Nucleus from './Nucleus.ts'
import { marginMaxLogits, referenceCandidates } from './Params.ts'

/** Which token an answer claims to have drawn where, and how. */
export type Claimed = { readonly token: number } & Sampler.Settings & Sampler.Draw

/** A token as a draw sees it: its logit and its score `logit + T * G`, both in logits. */
export type Scored = { readonly logit: number; readonly score: number }

/**
 * The perturbation margin: a lower bound on the eps such that moving each reference logit by at most eps lets `gumbel/1`
 * draw the claimed token. 0 for the token that the reference draws itself, at most 4. In logits.
 *
 * `reference` holds at least the 128 highest logits after mask, bias and penalties, masked tokens as -Infinity, and best
 * the claimed token's own besides. Where that is missing, the 128th stands for it, which can only lower the margin.
 * Throws {@link ScoringError} for logits that are too few, repeated or not numbers.
 * @example Margin.of(reference, { token: 7, temperature: 1, topP: 1, seed, choice: 0, position: 0 }) // 0.013
 */
export function of(reference: readonly Sampler.Candidate[], claimed: Claimed): number {
  const ranked = rank(reference)
  const logit = logitOf(ranked, claimed.token)
  if (logit === Number.NEGATIVE_INFINITY) return marginMaxLogits
  const others = ranked.filter((one) => one.id !== claimed.token)
  if (claimed.temperature < Params.samplerTemperatureMin)
    return held(((others[0]?.logit ?? logit) - logit) / 2)
  const scored = (one: Sampler.Candidate): Scored => ({
    logit: one.logit,
    score: one.logit + claimed.temperature * Sampler.noise(one.id, claimed),
  })
  const own = scored({ id: claimed.token, logit })
  if (claimed.topP < 1)
    return Nucleus.margin({
      own,
      others: others.map(scored),
      floor: floorOf(ranked),
      temperature: claimed.temperature,
      topP: claimed.topP,
    })
  // Masked tokens can't be drawn, so they are nobody's rivals.
  const kept = ranked.slice(0, Params.samplerCandidates).filter((one) => Number.isFinite(one.logit))
  return closed(own, {
    rivals: kept.filter((one) => one.id !== claimed.token).map(scored),
    last: others[Params.samplerCandidates - 1]?.logit ?? Number.NEGATIVE_INFINITY,
    next: ranked[Params.samplerCandidates]?.logit ?? Number.NEGATIVE_INFINITY,
  })
}

/**
 * The closed form without top-p: the claimed token must enter the 64, past the 64th of the others (`last`), and each
 * rival within the 64 must lose the draw or leave the 64, past the 65th (`next`). Every gap is shared by two: one side
 * rises by eps while the other falls by eps.
 */
function closed(
  own: Scored,
  edge: { readonly rivals: readonly Scored[]; readonly last: number; readonly next: number },
): number {
  return held(
    edge.rivals.reduce(
      (eps, rival) => Math.max(eps, Math.min((rival.score - own.score) / 2, (rival.logit - edge.next) / 2)),
      (edge.last - own.logit) / 2,
    ),
  )
}

/**
 * The same for a log-probability: the least eps such that moving each raw logit by at most eps gives the claimed token
 * the log-probability that the trace reports (1/1024 nat, at T = 1, over the whole vocabulary). Raising one logit by eps
 * and lowering all others moves the log-odds by exactly 2 eps, and nothing moves them further.
 *
 * `reference` is the reference's log-probability in nats; where the token is not among the candidates, the highest it
 * can have, and `isBound` says so. Rounding to 1/1024 is granted. At most 4.
 * @example Margin.ofLogprob({ reported: -709, reference: -0.7, isBound: false }) // 0
 */
export function ofLogprob(input: {
  readonly reported: number
  readonly reference: number
  readonly isBound: boolean
}): number {
  const { reported, reference, isBound } = input
  if (Number.isNaN(reference) || reference > 1e-3)
    throw new ScoringError('must be a log-probability of at most 0', reference)
  const known = Math.min(0, reference)
  const lowest = -32_768
  const low = reported <= lowest ? Number.NEGATIVE_INFINITY : (reported - 0.5) / Params.logprobUnitsPerNat
  const high = Math.min(0, (reported + 0.5) / Params.logprobUnitsPerNat)
  if (known >= low && known <= high) return 0
  if (known > high) return isBound ? 0 : held((logOdds(known) - logOdds(high)) / 2)
  return held((logOdds(low) - logOdds(known)) / 2)
}

/**
 * Standard deviation, over the 64 highest of the first, of what two reference scorings of one position differ by: how
 * far honest arithmetic moves these logits here. A token that the second lacks counts as its last.
 */
export function spread(first: readonly Sampler.Candidate[], second: readonly Sampler.Candidate[]): number {
  const other = rank(second)
  const logits = new Map(other.map((one) => [one.id, one.logit]))
  const last = other.at(-1)?.logit ?? 0
  const differences = rank(first)
    .slice(0, Params.samplerCandidates)
    .map((one) => one.logit - (logits.get(one.id) ?? last))
    .filter(Number.isFinite)
  const mean = differences.reduce((sum, one) => sum + one, 0) / Math.max(1, differences.length)
  const square =
    differences.reduce((sum, one) => sum + (one - mean) ** 2, 0) / Math.max(1, differences.length)
  return Math.sqrt(square)
}

/** Whether a reference gives this token's own logit, rather than only a bound on it. */
export function includes(reference: readonly Sampler.Candidate[], token: number): boolean {
  return reference.some((one) => one.id === token)
}

/** Best first, as the sampler ranks: higher logit, then lower id. */
function rank(reference: readonly Sampler.Candidate[]): readonly Sampler.Candidate[] {
  if (reference.length < referenceCandidates)
    throw new ScoringError(`must have at least ${referenceCandidates} logits`, reference.length)
  const bad = reference.find((one) => !(one.logit < Number.POSITIVE_INFINITY))
  if (bad) throw new ScoringError(`must have numbers for logits, token ${bad.id} has not`, bad.logit)
  const ids = new Set(reference.map((one) => one.id))
  if (ids.size !== reference.length)
    throw new ScoringError('must name each token once, repeated', reference.length - ids.size)
  return [...reference].sort((a, b) => (a.logit === b.logit ? a.id - b.id : b.logit - a.logit))
}

/** What no token outside the reference exceeds. Not the last: the claimed token may have been fetched besides the 128. */
function floorOf(ranked: readonly Sampler.Candidate[]): number {
  return ranked[referenceCandidates - 1]?.logit ?? Number.NEGATIVE_INFINITY
}

function logitOf(ranked: readonly Sampler.Candidate[], token: number): number {
  return ranked.find((one) => one.id === token)?.logit ?? floorOf(ranked)
}

function logOdds(logprob: number): number {
  return logprob - Math.log(-Math.expm1(logprob))
}

function held(eps: number): number {
  return Math.min(marginMaxLogits, Math.max(0, eps))
}

/** A reference scoring that can't be used: the weights or the engine that gave it are broken, no answer is judged by it. */
export class ScoringError extends Error {
  override readonly name = 'Margin.ScoringError'
  readonly value: number
  constructor(problem: string, value: number) {
    super(`a reference scoring ${problem}; got ${value}: score the answer again, with whole weights`)
    this.value = value
  }
}
