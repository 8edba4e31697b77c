import * as Params from './Params.ts'

/** How much an operator asks for beyond the least: `factor` where more is at stake, `floor` audits in any case. */
export type Policy = { readonly factor: number; readonly floor: number }

/**
 * Audits that a provider is to have had after so many jobs: 20 % of the first 200 and 2 % of all later ones, times the
 * factor, and never none.
 * @example Rate.wanted(1_000, { factor: 1, floor: 1 }) // 56
 */
export function wanted(jobs: number, { factor, floor }: Policy): number {
  const early = Math.min(jobs, Params.newcomerJobs) * Params.newcomerShare
  const late = Math.max(0, jobs - Params.newcomerJobs) * Params.laterShare
  return Math.max(Params.auditsMin, floor, Math.ceil(factor * (early + late)))
}

/** A provider of a model: its jobs, the audits it answered, and those on their way, which may become anybody's. */
export type Standing = { readonly jobs: number; readonly audited: number }

/**
 * Audits to plan for a model, so that after the beacon's draw and the gateway's choice each provider can be expected to
 * have had what it is to have. 0 where all have.
 */
export function plan(
  providers: readonly Standing[],
  underWay: number,
  { useShare, ...policy }: Policy & { readonly useShare: number },
): number {
  const missing = providers.map(({ jobs, audited }) => Math.max(0, wanted(jobs, policy) - audited))
  // The gateway chooses: whoever lacks most is met in every n-th audit only.
  const purchases = Math.max(0, Math.max(0, ...missing) * providers.length - underWay)
  return Math.min(Params.planAuditsMax, Math.ceil(purchases / useShare))
}

/**
 * When to buy, in milliseconds from now on, ascending: spread over `spreadMs`, three times as often at 15 h as at 4 h UTC
 * (BurstGPT and Azure's traces have a daily swing of that size).
 */
export function times(
  count: number,
  input: { readonly nowMs: number; readonly spreadMs: number; readonly random: () => number },
): readonly number[] {
  const { nowMs, spreadMs, random } = input
  const draw = (): number => {
    const at = nowMs + Math.floor(random() * spreadMs)
    return random() < daily(at) ? at : draw()
  }
  return Array.from({ length: count }, draw).sort((a, b) => a - b)
}

/** Traffic at this time of day, of 1 at the peak. */
function daily(ms: number): number {
  const hours = (ms / 3_600_000) % 24
  return 2 / 3 + Math.cos((2 * Math.PI * (hours - 15.5)) / 24) / 3
}
