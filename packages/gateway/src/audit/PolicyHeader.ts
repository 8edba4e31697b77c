import { type Bytes, Decode, Policy, Refusal, type Verdict } from '@counterfoil/protocol'
import * as Params from './Params.ts'

/** The request header that carries what a caller demands of whoever answers: a policy as JSON. */
export const name = 'x-counterfoil-policy'

/**
 * The caller's policy; at least `signed` where it sends none, which every answer is held to anyway.
 * @throws {RefusedError} `invalid_value`
 */
export function read(value: string | readonly string[] | undefined): Policy.Policy {
  if (value === undefined) return { least: 'signed' }
  try {
    if (typeof value !== 'string' || value.length > Params.policyCharsMax)
      throw new SyntaxError(`it must be one header of at most ${Params.policyCharsMax} characters`)
    return Policy.decode(JSON.parse(value))
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof Decode.DecodeError)) throw error
    throw new Refusal.RefusedError(
      Refusal.of(
        'invalid_value',
        `${name} is not a policy: ${error.message}; send JSON such as {"least":"sampled","maxError":1e-6,"maxAge":"7d"}.`,
        name,
      ),
    )
  }
}

/** What a caller is told where nobody may serve it: whom there is, and why not. */
export function refusal(
  model: string,
  policy: Policy.Policy,
  objections: readonly { readonly provider: Bytes.Hex; readonly reason: Verdict.Reason }[],
): Refusal.Refusal {
  const shown = objections
    .slice(0, Params.reasonsShownMax)
    .map(({ provider, reason }) => `${provider}: ${reason.code}: ${reason.message}`)
  const more = objections.length - shown.length
  const isConvicted = objections.every(({ reason }) => reason.code === 'convicted')
  const demand = isConvicted ? 'may be used' : `meets the policy (at least ${policy.least})`
  return Refusal.of(
    'policy_not_met',
    `No provider of '${model.slice(0, 64)}' ${demand}: ${shown.join('; ')}${more > 0 ? `; and ${more} more` : ''}. Nothing was sent to anybody, nothing is charged.`,
    isConvicted ? null : name,
  )
}
