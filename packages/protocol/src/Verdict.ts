/** The ladder of evidence, weakest first. */
export const rungs = ['signed', 'committed', 'sampled', 'replayed', 'attested', 'proved'] as const

export type Rung = (typeof rungs)[number]

/** Why a rung fails or stays unknown. Every code stands in `spec/verdict.md` with what to do about it. */
export type ReasonCode =
  | 'input-missing'
  | 'key-unknown'
  | 'key-not-valid'
  | 'key-revoked'
  | 'signature-invalid'
  | 'domain-mismatch'
  | 'request-mismatch'
  | 'answer-mismatch'
  | 'job-mismatch'
  | 'output-mismatch'
  | 'trace-mismatch'
  | 'trace-withheld'
  | 'offer-mismatch'
  | 'offer-signature-invalid'
  | 'offer-not-valid'
  | 'charge-mismatch'
  | 'limit-exceeded'
  | 'claim-from-future'
  | 'root-not-posted'
  | 'root-late'
  | 'inclusion-missing'
  | 'inclusion-invalid'
  | 'history-missing'
  | 'history-short'
  | 'history-old'
  | 'calibration-refused'
  | 'convicted'
  | 'error-bound'
  | 'not-available'

export type Reason = { readonly code: ReasonCode; readonly message: string }

/**
 * What one rung says of one receipt. `errorBound` is the chance that `holds` or `fails` is wrong; for `sampled` that an
 * honest provider is ever convicted, while `smallestDetectable` says what `holds` would have found, with 95 % probability.
 */
export type Verdict = {
  readonly rung: Rung
  readonly outcome: 'holds' | 'fails' | 'unknown'
  readonly proves: string
  readonly doesNotProve: string
  readonly errorBound: number
  readonly smallestDetectable?: string
  /** What the evidence is about, where it is not this one answer. */
  readonly covers?: string
  /** Why nothing should be done about it, though the figures say so. */
  readonly advisory?: string
  readonly reason?: Reason
}

/** The chance of a forged P-256 signature or a SHA-256 collision at 128 bits of work. */
const forgery = 2 ** -128

const texts: Readonly<
  Record<Rung, { readonly proves: string; readonly doesNotProve: string; readonly errorBound: number }>
> = {
  signed: {
    proves: 'who is accountable for exactly this answer to exactly this request, at this price',
    doesNotProve: 'that the answer was computed honestly',
    errorBound: forgery,
  },
  committed: {
    proves: 'the claim existed before its epoch closed; a second claim with its number is slashable',
    doesNotProve: 'that the answer was computed honestly',
    errorBound: forgery,
  },
  sampled: {
    proves: "over the provider's history on this model: answers come from these weights and this sampler",
    doesNotProve: 'any single answer; effects below the smallest detectable; strata that were not audited',
    errorBound: 1e-6,
  },
  replayed: {
    proves: 'this answer, bit for bit, by running it again',
    doesNotProve: 'anything on runtimes that are not exact',
    errorBound: forgery,
  },
  attested: {
    proves: 'the code identity and key binding that a TEE vendor vouches for',
    doesNotProve: 'the weights unless measured; safety from physical attacks on the TEE',
    errorBound: forgery,
  },
  proved: {
    proves: 'this output from these committed weights, by zero-knowledge proof',
    doesNotProve: "the prompt's meaning; practical for small models only",
    errorBound: forgery,
  },
}

export function holds(rung: Rung): Verdict {
  return { rung, outcome: 'holds', ...texts[rung] }
}

export function fails(rung: Rung, code: ReasonCode, message: string): Verdict {
  return { rung, outcome: 'fails', ...texts[rung], reason: { code, message } }
}

export function unknown(rung: Rung, code: ReasonCode, message: string): Verdict {
  return { rung, outcome: 'unknown', ...texts[rung], reason: { code, message } }
}
