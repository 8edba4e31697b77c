import { availableParallelism } from 'node:os'
import { Sampler } from '@counterfoil/protocol'
import {
  getLlama,
  type LlamaContext,
  LlamaLogLevel,
  type LlamaModel,
  LlamaVocabularyType,
  type Token,
} from 'node-llama-cpp'
import * as Params from '../Params.ts'
import * as Binding from './Binding.ts'
import type * as Message from './Message.ts'
import * as Template from './Template.ts'
import * as Vocabulary from './Vocabulary.ts'

/** A model in memory with what its tokens and its prompts are made of. Lives in the child. */
export type Model = {
  readonly model: LlamaModel
  readonly context: LlamaContext
  readonly template: { render(input: Template.Input): string } | undefined
  /** Text of each token in the vocabulary and how to read it. */
  entry(token: number): Vocabulary.Entry
  /** The longest token: text of more bytes than so many for each place cannot fit the context. */
  readonly tokenBytesMax: number
  readonly ready: Message.Ready
}

/** Loads the model file and makes the context with all its sequences. Whatever is wrong is an error here, not at the first job. */
export async function load(options: Message.Load): Promise<Model> {
  if (options.bindingFolder !== undefined) Binding.usePackage(options.bindingFolder)
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    logLevel: LlamaLogLevel.error,
    // No limit: one context alone computes here, and always with exactly the threads that the runtime states.
    maxThreads: 0,
  })
  const model = await llama.loadModel({ modelPath: options.modelPath, gpuLayers: 0 })
  const contextLength = options.contextLength ?? Math.min(model.trainContextSize, Params.contextLengthDefault)
  if (contextLength > model.trainContextSize)
    throw new RangeError(
      `contextLength ${contextLength} exceeds the ${model.trainContextSize} tokens this model was trained on`,
    )
  const entries = readVocabulary(model)
  const source = model.fileInfo.metadata.tokenizer.chat_template
  const template = source === undefined ? undefined : Template.compile(source)

  const threads = options.threads ?? availableParallelism()
  const batchSize = Math.min(Params.batchTokens, contextLength * options.sequences)
  const context = await model.createContext({
    contextSize: contextLength,
    sequences: options.sequences,
    threads,
    batchSize,
    flashAttention: false,
    failedCreationRemedy: false,
    ...(options.kvCache === 'f32' && {
      experimentalKvCacheKeyType: 'F32',
      experimentalKvCacheValueType: 'F32',
    }),
  })

  const files = Binding.loadedFiles()
  const runtime = {
    schema: 'counterfoil/runtime/1',
    engine: 'llama.cpp',
    version: llama.llamaCppRelease.release,
    binary: await Binding.digest(files),
    backend: Binding.backend(files),
    numerics: { contextLength, batchSize, threads, flashAttention: false, kvCache: options.kvCache },
    sampler: Sampler.id,
    grammar: 'none',
    determinism: options.determinism,
  } as const
  return {
    model,
    context,
    template,
    entry: (token) => {
      const entry = entries[token]
      if (!entry) throw new RangeError(`token ${token} is not in the vocabulary of ${entries.length} tokens`)
      return entry
    },
    tokenBytesMax: entries.reduce((most, { text }) => Math.max(most, Buffer.byteLength(text)), 1),
    ready: { runtime, limits: { contextLength, sequences: options.sequences } },
  }
}

/** Every token's text and reading; a vocabulary that is not wholly understood is refused. */
export function readVocabulary(model: LlamaModel): readonly Vocabulary.Entry[] {
  const kind = model.vocabularyType
  if (kind !== LlamaVocabularyType.bpe && kind !== LlamaVocabularyType.spm)
    throw new Error(`vocabulary type "${kind}" is not supported; supported are "bpe" and "spm"`)
  const normal = kind === LlamaVocabularyType.bpe ? 'bytes' : 'spaces'
  return model.fileInfo.metadata.tokenizer.ggml.tokens.map((text, id) => {
    const token = id as Token
    const attributes = model.getTokenAttributes(token)
    const hidden = attributes.control || attributes.unknown || attributes.unused || model.isEogToken(token)
    const reading = hidden
      ? 'hidden'
      : attributes.userDefined
        ? 'verbatim'
        : attributes.byte
          ? 'byte'
          : normal
    const entry = { text, reading } as const
    Vocabulary.toBytes(entry)
    return entry
  })
}
