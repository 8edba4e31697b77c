/** What llama.cpp says of one token: its text in the vocabulary and how that text is to be read. */
export type Entry = {
  readonly text: string
  readonly reading: 'bytes' | 'spaces' | 'byte' | 'verbatim' | 'hidden'
}

/**
 * The bytes that a token adds to an answer, by the rules of llama.cpp's `llama_token_to_piece` without special tokens.
 * Its own text output cannot be used: a UTF-8 sequence spread over two tokens would arrive as two replacement characters.
 *
 * - `bytes`: byte-level BPE (GPT-2): each character stands for one byte
 * - `spaces`: SentencePiece: U+2581 stands for a space
 * - `byte`: SentencePiece's byte fallback, `<0x0A>`
 * - `verbatim`: tokens that a user added; `hidden`: control tokens, which add nothing
 *
 * A text that its reading does not cover throws {@link VocabularyError}.
 * @example Vocabulary.toBytes({ text: 'Ġhi', reading: 'bytes' }) // the bytes of ' hi'
 */
export function toBytes({ text, reading }: Entry): Uint8Array {
  if (reading === 'hidden') return new Uint8Array()
  if (reading === 'verbatim') return encoder.encode(text)
  if (reading === 'spaces') return encoder.encode(text.replaceAll('\u2581', ' '))
  if (reading === 'byte') {
    const match = /^<0x([0-9A-F]{2})>$/.exec(text)
    if (!match?.[1]) throw new VocabularyError(text, reading)
    return Uint8Array.of(Number.parseInt(match[1], 16))
  }
  const bytes: number[] = []
  for (const character of text) {
    const byte = byteLevel.get(character)
    if (byte === undefined) throw new VocabularyError(text, reading)
    bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}

const encoder = new TextEncoder()

/** GPT-2's `bytes_to_unicode`: printable bytes stand for themselves, the others for U+0100 and up, in order. */
const byteLevel: ReadonlyMap<string, number> = (() => {
  const map = new Map<string, number>()
  let next = 0x100
  for (let byte = 0; byte < 256; byte += 1) {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
    map.set(String.fromCodePoint(printable ? byte : next), byte)
    if (!printable) next += 1
  }
  return map
})()

export class VocabularyError extends Error {
  override readonly name = 'Vocabulary.VocabularyError'
  readonly text: string
  constructor(text: string, reading: string) {
    super(
      `token ${JSON.stringify(text)} cannot be read as "${reading}"; this kind of vocabulary is not supported`,
    )
    this.text = text
  }
}
