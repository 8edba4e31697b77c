import type { Behaviour } from '../Behaviour.ts'
import * as Framing from './Framing.ts'
import * as Honest from './Honest.ts'
import * as Prompting from './Prompting.ts'
import * as Sampling from './Sampling.ts'
import * as Weights from './Weights.ts'

/** Every behaviour that is recorded, in the order in which a run records them. */
export const all: readonly Behaviour[] = [
  Weights.q4,
  Weights.q5,
  Sampling.temperature,
  Sampling.ownNoise,
  Weights.prefillAttack,
  Honest.q8,
  Honest.batching,
  Sampling.topP,
  Weights.noise,
  Weights.pruned,
  Prompting.truncated,
  Prompting.hiddenPrompt,
  Prompting.cached,
  Sampling.temperature09,
  Framing.framing,
  Honest.otherBackend,
  Honest.exact,
  Honest.same,
]
