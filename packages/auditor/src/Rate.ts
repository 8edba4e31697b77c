import * as Params from './Params.ts'

/** How much an operator asks for beyond the least: `factor` where more is at stake, `floor` audits in any case. */
export type Policy = { readonly factor: number; readonly floor: number }

/**
 * The share of a provider's answers that must be audited so that cheating does not pay: who gives false answers earns at
 * most their charge until about `auditsToConvict` of them were audited, and loses its stake then. So share x stake must be
 * at least auditsToConvict x charge. Charge and stake in micro-units.
 * @example Rate.atStake(100n, 1_000_000_000n) // 0.0000025: the usual 2 % is more
 */
export function atStake(charge: bigint, stake: bigint): number {
  const most = Params.atStakeShareMax
  if (stake <= 0n) return most
  return Math.min(most, (Params.auditsToConvict * Number(charge)) / Number(stake))
}

/**
 * Audits that a provider is to have had after so many jobs: 20 % of the first 200 and 2 % of all later ones, or `share` where
 * more is at stake, times the factor, and never none.
 * @example Rate.wanted({ jobs: 1_000, share: 0 }, { factor: 1, floor: 1 }) // 56
 */
export function wanted({ jobs, share }: Omit<Standing, 'audited'>, { factor, floor }: Policy): number {
  const early = Math.min(jobs, Params.newcomerJobs) * Math.max(Params.newcomerShare, share)
  const late = Math.max(0, jobs - Params.newcomerJobs) * Math.max(Params.laterShare, share)
  return Math.max(Params.auditsMin, floor, Math.ceil(factor * (early + late)))
}

/**
 * A provider of a model: its jobs, the audits it answered, and the share that what is at stake asks for.
 */
export type Standing = { readonly jobs: number; readonly audited: number; readonly share: number }

/**
 * Audits to plan for a model, so that after the beacon's draw and the gateway's choice each provider can be expected to
 * have had what it is to have. 0 where all have.
 */
export function plan(
  providers: readonly Standing[],
  underWay: number,
  { useShare, ...policy }: Policy & { readonly useShare: number },
): number {
  const missing = providers.map((one) => Math.max(0, wanted(one, policy) - one.audited))
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
