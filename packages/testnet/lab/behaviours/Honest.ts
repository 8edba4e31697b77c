import type { Behaviour } from '../Behaviour.ts'
import { provider } from './Serving.ts'

/**
 * The declared weights and sampler on the built-in runtime: what the calibration is made from. With the batched ones
 * enough clean tokens for the least mean that the bound can state (0.005 needs 33,300, spec/calibration.md).
 */
export const same: Behaviour = {
  name: 'honest',
  kind: 'honest',
  title: 'honest, same backend',
  tokens: 30_000,
  mix: 'varied',
  open: async (lab) => provider(await lab.engine('declared')),
}

/** Several answers in one batch, as a busy provider computes them. */
export const batching: Behaviour = {
  name: 'honest-batching',
  kind: 'honest',
  title: 'honest, four jobs at once in one batch',
  tokens: 12_500,
  mix: 'varied',
  parallel: 4,
  open: async (lab) => provider(await lab.engine('declared', { sequences: 4 })),
}

/** Another CPU library of llama.cpp (sse42: other vector width, no fused multiply-add), scored by the built-in one. */
export const otherBackend: Behaviour = {
  name: 'honest-other-backend',
  kind: 'honest',
  title: 'honest, on another backend (sse42)',
  tokens: 1_000,
  mix: 'varied',
  series: 'exact',
  open: async (lab) => provider(await lab.engine('declared', { exact: true })),
}

/** The exact runtime, scored by itself. */
export const exact: Behaviour = {
  ...otherBackend,
  name: 'honest-exact',
  title: 'honest, exact runtime scored by itself',
  tokens: 500,
  reference: 'exact',
}

/** The same weights in eight bits: closer to what the four-bit file means than its own arithmetic. No cheat. */
export const q8: Behaviour = {
  name: 'honest-q8_0',
  kind: 'honest',
  title: 'Q8_0 of the same weights',
  tokens: 10_000,
  mix: 'varied',
  open: async (lab) => provider(await lab.engine('q8_0')),
}
