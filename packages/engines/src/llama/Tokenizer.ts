import type { Token } from 'node-llama-cpp'
import * as Vocabulary from './Vocabulary.ts'

/** The tokenizer of a model file without its weights: for those who have text of somebody else's answer to score. */
export interface Tokenizer extends AsyncDisposable {
  /** The canonical tokens of plain text: names of control tokens in it are text. */
  encode(text: string): readonly number[]
  /** A prompt as an engine reads it that takes prompts as text: with the beginning-of-text token where the model wants one. */
  encodePrompt(text: string): readonly number[]
  /** What a token adds to an answer; nothing for a control token. */
  bytes(token: number): Uint8Array
  /** Tokens that end an answer; never empty. */
  readonly ends: readonly number[]
}

/**
 * Opens the vocabulary of a GGUF file, in this process: nothing is computed on it, so nothing native can go wrong later.
 * @throws Error where the vocabulary is of a kind that is not supported.
 * @example
 * await using tokenizer = await Tokenizer.open({ modelPath })
 * tokenizer.encode('The capital of Japan')
 */
export async function open({ modelPath }: { readonly modelPath: string }): Promise<Tokenizer> {
  // Here, not above: daemons that only look after an engine's process would load some 400 modules for nothing.
  const { getLlama, LlamaLogLevel } = await import('node-llama-cpp')
  const { readVocabulary } = await import('./Model.ts')
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    logLevel: LlamaLogLevel.error,
  })
  const model = await llama.loadModel({ modelPath, vocabOnly: true, gpuLayers: 0 })
  const entries = readVocabulary(model)
  const pieces = entries.map(Vocabulary.toBytes)
  const ends = pieces.flatMap((_, id) => (model.isEogToken(id as Token) ? [id] : []))
  if (ends.length === 0) throw new Error(`${modelPath} has no token that ends an answer; it cannot be scored`)
  const { bos, shouldPrependBosToken } = model.tokens
  return {
    ends,
    encode: (text) => model.tokenize(text, false, 'trimLeadingSpace'),
    encodePrompt: (text) => [
      ...(shouldPrependBosToken && bos !== null ? [bos] : []),
      ...model.tokenize(text, true),
    ],
    bytes: (token) => {
      const piece = pieces[token]
      if (!piece) throw new RangeError(`token ${token} is not in the vocabulary of ${pieces.length} tokens`)
      return piece
    },
    async [Symbol.asyncDispose]() {
      await model.dispose()
      await llama.dispose()
    },
  }
}
