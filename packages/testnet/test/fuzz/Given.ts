import { BrokenError } from './Target.ts'

// What a gateway was heard to answer, held against what it stored.

/** The receipts that answers named, and how many requests were sent of which nobody knows whether they were answered. */
export class Given {
  readonly #receipts = new Set<string>()
  #unheard = 0

  /** An answer was read to its end. */
  heard(receipt: string): void {
    this.#receipts.add(receipt)
  }

  /** Bytes were sent that may be one good request, by somebody who need not have read its answer. */
  unheard(): void {
    this.#unheard += 1
  }

  /** Whatever was heard is stored, and nothing besides but what the unheard may have been. */
  assert(stored: readonly string[]): void {
    const all = new Set(stored)
    if (all.size !== stored.length)
      throw new BrokenError(`${stored.length - all.size} receipts were stored twice`)
    for (const receipt of this.#receipts)
      if (!all.has(receipt)) throw new BrokenError(`the answer with receipt ${receipt} was not stored`)
    const more = stored.filter((receipt) => !this.#receipts.has(receipt))
    if (more.length > this.#unheard)
      throw new BrokenError(
        `${more.length} receipts were stored that no answer named, at most ${this.#unheard} may be: ${more[0]}`,
      )
  }
}
