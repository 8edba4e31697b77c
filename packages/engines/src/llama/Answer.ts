/**
 * The visible text of an answer, made from the bytes of its tokens. A UTF-8 sequence (RFC 3629) may be spread over several
 * tokens and is held back until it is whole; text that may become a stop string is held back until it cannot.
 *
 * An answer stops at the first character that completes a stop string; of several completed there, the longest is cut out.
 * So the text depends on the characters only, never on where token borders fall.
 * @example
 * const answer = new Answer(['END'])
 * answer.push(new TextEncoder().encode('one EN')) // { text: 'one ', stopped: false }
 * answer.push(new TextEncoder().encode('D two')) // { text: '', stopped: true }
 */
export class Answer {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  readonly #stop: readonly string[]
  #held = ''

  constructor(stop: readonly string[]) {
    this.#stop = stop.filter((one) => one !== '')
  }

  /** The text that the bytes of the next token make visible. After `stopped` nothing may be pushed. */
  push(bytes: Uint8Array): { readonly text: string; readonly stopped: boolean } {
    const text = this.#held + this.#decoder.decode(bytes, { stream: true })
    const start = findStop(text, this.#stop)
    if (start !== undefined) {
      this.#held = ''
      return { text: text.slice(0, start), stopped: true }
    }
    const shown = text.length - heldLength(text, this.#stop)
    this.#held = text.slice(shown)
    return { text: text.slice(0, shown), stopped: false }
  }

  /** What was held back, when the answer ends without a stop string; a broken UTF-8 sequence becomes U+FFFD. */
  end(): string {
    const text = this.#held + this.#decoder.decode()
    this.#held = ''
    return text
  }
}

/** Where the stop string begins that is completed first. */
function findStop(text: string, stop: readonly string[]): number | undefined {
  let found: { start: number; end: number } | undefined
  for (const one of stop) {
    const start = text.indexOf(one)
    if (start < 0) continue
    const end = start + one.length
    if (!found || end < found.end || (end === found.end && start < found.start)) found = { start, end }
  }
  return found?.start
}

/** Length of the longest ending of `text` with which a stop string begins. */
function heldLength(text: string, stop: readonly string[]): number {
  let longest = 0
  for (const one of stop) {
    for (let length = Math.min(one.length - 1, text.length); length > longest; length -= 1) {
      if (text.endsWith(one.slice(0, length))) longest = length
    }
  }
  return longest
}
