import { type Bytes, Sampler } from '../../src/index.ts'

// What a perturbation of at most eps can make the sampler draw, decided from the definition of `gumbel/1` over a whole
// vocabulary, in another way than `Margin.ts`: by counting what must and what may stand where. `witness` makes the
// perturbation itself, so that the sampler can be asked.

export type Position = {
  readonly logits: readonly number[]
  readonly temperature: number
  readonly topP: number
  readonly seed: Bytes.Hex
  readonly choice: number
  readonly position: number
}

export const kept = 64
/** Ties are left by this much, so that the sampler's own rule for them does not decide. */
const tie = 1e-9

export function candidates(logits: readonly number[]): readonly Sampler.Candidate[] {
  return logits.map((logit, id) => ({ id, logit }))
}

/** What an auditor fetches: the 128 highest. */
export function fetched(logits: readonly number[]): readonly Sampler.Candidate[] {
  const ranked = [...candidates(logits)]
  return ranked.sort((a, b) => (a.logit === b.logit ? a.id - b.id : b.logit - a.logit)).slice(0, 128)
}

export function draw(position: Position, logits: readonly number[] = position.logits): number {
  return Sampler.choose({ ...position, candidates: candidates(logits) })
}

/**
 * The least eps at which some perturbation draws `token`, without top-p, by bisection over an exact decision: the token
 * rises, every other that still outscores it must be pushed out of the 64 by 63 others that may not outscore it.
 */
export function exact(position: Position, token: number): number {
  let low = 0
  let high = 16
  if (witness(position, token, 0)) return 0
  for (let i = 0; i < 36; i += 1) {
    const middle = (low + high) / 2
    if (witness(position, token, middle)) high = middle
    else low = middle
  }
  return high
}

/** Logits within eps of the position's under which the sampler draws `token` (up to ties), if there are any. */
export function witness(position: Position, token: number, eps: number): readonly number[] | undefined {
  const { logits, temperature } = position
  const noise = logits.map((_, id) => temperature * Sampler.noise(id, position))
  const own = (logits[token] ?? 0) + eps
  const goal = own + (noise[token] ?? 0)
  const ids = logits.map((_, id) => id).filter((id) => id !== token)
  const low = (id: number) => (logits[id] ?? 0) - eps
  const high = (id: number) => Math.min((logits[id] ?? 0) + eps, goal - tie - (noise[id] ?? 0))
  const isRival = (id: number) => low(id) + (noise[id] ?? 0) > goal
  const wall = Math.max(Number.NEGATIVE_INFINITY, ...ids.filter(isRival).map(low))
  const above = ids.filter((id) => low(id) > own)
  if (own < wall || above.length >= kept) return undefined
  const forced = new Set(above)
  const fillers = ids
    .filter((id) => !isRival(id) && high(id) >= wall)
    .sort((a, b) => Number(forced.has(b)) - Number(forced.has(a)) || high(b) - high(a))
    .slice(0, kept - 1)
  if (wall > Number.NEGATIVE_INFINITY && fillers.length < kept - 1) return undefined
  const raised = new Set(wall > Number.NEGATIVE_INFINITY ? fillers : [])
  return logits.map((_, id) => (id === token ? own : raised.has(id) ? high(id) : low(id)))
}

/**
 * The same with top-p, by trying: rivals fall; what stands above the token lies anywhere between its lowest and highest
 * level (five steps), what stands below it either as high as it may or, behind the rivals, as low.
 */
export function nucleusWitness(
  position: Position,
  token: number,
  eps: number,
): readonly number[] | undefined {
  const { logits, temperature } = position
  const noise = logits.map((_, id) => temperature * Sampler.noise(id, position))
  const own = (logits[token] ?? 0) + eps
  const goal = own + (noise[token] ?? 0)
  const low = (id: number) => (logits[id] ?? 0) - eps
  const high = (id: number) => Math.min((logits[id] ?? 0) + eps, goal - tie - (noise[id] ?? 0))
  const isRival = (id: number) => low(id) + (noise[id] ?? 0) > goal
  const wall = Math.max(
    Number.NEGATIVE_INFINITY,
    ...logits.map((_, id) => (isRival(id) ? low(id) : -Infinity)),
  )
  const steps = [0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1]
  const tries = steps.flatMap((share) =>
    [0, 1].flatMap((rest) => [0, 1].map((below) => ({ share, rest, below }))),
  )
  return tries
    .map(({ share, rest, below }) =>
      logits.map((_, id) => {
        if (id === token) return own
        if (isRival(id)) return low(id)
        if (high(id) < wall) return rest === 0 ? low(id) : high(id)
        const level = Math.max(low(id), Math.min(high(id), own - tie))
        return below === 0 ? level + share * (high(id) - level) : low(id) + share * (high(id) - low(id))
      }),
    )
    .find((moved) => draw(position, moved) === token)
}
