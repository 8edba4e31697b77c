import type fc from 'fast-check'

/** What the code made of an input that was not its own: taken, or refused in the way that its spec names. */
export type Outcome = 'accepted' | 'refused'

/** One input and what is done with it; `run` throws where a property does not hold. */
export type Case = { readonly shown: unknown; run(): Outcome | Promise<Outcome> }

/** What the cases of a target run against, once it has started. */
export type Trial = {
  readonly cases: fc.Arbitrary<Case>
  /** Between chunks of cases: what can only be seen over many, such as what was stored. */
  settle?(): Promise<void>
  /** After the last case: what must be right once everything has come to rest. */
  finish?(): Promise<void>
  close?(): Promise<void>
}

export type Target = {
  readonly name: string
  /** Its share of all cases, relative to the others. */
  readonly weight: number
  /** Processor time that a case may take where its input is larger than others'. */
  readonly cpuMsMax?: number
  open(): Trial | Promise<Trial>
}

/**
 * A trial of one property over one kind of input.
 * @example Target.trial(fc.uint8Array(), (bytes) => (bytes.length > 3 ? 'accepted' : 'refused'))
 */
export function trial<T>(inputs: fc.Arbitrary<T>, run: (input: T) => Outcome | Promise<Outcome>): Trial {
  return { cases: cases(inputs, run) }
}

export function cases<T>(
  inputs: fc.Arbitrary<T>,
  run: (input: T) => Outcome | Promise<Outcome>,
): fc.Arbitrary<Case> {
  return inputs.map((shown) => ({ shown, run: () => run(shown) }))
}

/** A property that does not hold; everything else that a case throws is one too. */
export class BrokenError extends Error {
  override readonly name = 'BrokenError'
}
