import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { Bytes, Canonical, ModelManifest } from '@counterfoil/protocol'
import * as Gguf from './Gguf.ts'
import * as Store from './Store.ts'

/** What a GGUF file does not say of itself, or not reliably. */
export type Label = {
  readonly name: string
  readonly version: string
  /** SPDX expression. */
  readonly license: string
  readonly parents?: ModelManifest.ModelManifest['parents']
  /** The file's path in the manifest; its own name when left out. */
  readonly path?: string
}

/**
 * The manifest of a model that is one GGUF file. Throws {@link GgufManifestError} where the header lacks what it needs.
 *
 * - `chatTemplate` is the SHA-256 of the UTF-8 text of `tokenizer.chat_template`; 32 zero bytes where there is none.
 * - `tokenizer` is the digest of {@link tokenizerDigest}.
 * @example await manifestOf('model.Q4_1.gguf', { name: 'model', version: '1', license: 'Apache-2.0' })
 */
export async function manifestOf(path: string, label: Label): Promise<ModelManifest.ModelManifest> {
  const { metadata } = await Gguf.read(path)
  const architecture = textOf(metadata, 'general.architecture')
  const template = metadata.get('tokenizer.chat_template')
  return ModelManifest.decode({
    schema: 'counterfoil/model/1',
    name: label.name,
    version: label.version,
    license: label.license,
    format: 'gguf',
    architecture,
    quantization: quantizationOf(metadata),
    contextLength: integerOf(metadata, `${architecture}.context_length`),
    chatTemplate: template === undefined ? Bytes.zero32 : sha256(textOf(metadata, 'tokenizer.chat_template')),
    tokenizer: tokenizerDigest(metadata),
    files: [
      {
        path: label.path ?? basename(path),
        size: (await stat(path)).size,
        sha256: await Store.hash(path),
        role: 'weights',
      },
    ],
    parents: label.parents ?? [],
  })
}

/**
 * SHA-256 of the canonical JSON (RFC 8785) of one object: every `tokenizer.*` key of the header with its value, numbers as
 * JSON numbers whatever their GGUF type, except chat templates (`tokenizer.chat_template` and what begins with it). All
 * keys, because each may change how text becomes tokens; in any order of the file, because the order does not.
 */
export function tokenizerDigest(metadata: Gguf.Header['metadata']): Bytes.Hex {
  const keys = [...metadata].filter(
    ([key]) => key.startsWith('tokenizer.') && !key.startsWith('tokenizer.chat_template'),
  )
  if (keys.length === 0) return Bytes.zero32
  try {
    return sha256(Canonical.encode(Object.fromEntries(keys)))
  } catch (error) {
    throw new GgufManifestError(
      'tokenizer.*',
      `has no JSON form: ${error instanceof Error ? error.message : error}`,
    )
  }
}

/** llama.cpp's `LLAMA_FTYPE_*` (include/llama.h); numbers left out there were removed from it. */
const fileTypes: { readonly [type: number]: string } = {
  0: 'F32',
  1: 'F16',
  2: 'Q4_0',
  3: 'Q4_1',
  7: 'Q8_0',
  8: 'Q5_0',
  9: 'Q5_1',
  10: 'Q2_K',
  11: 'Q3_K_S',
  12: 'Q3_K_M',
  13: 'Q3_K_L',
  14: 'Q4_K_S',
  15: 'Q4_K_M',
  16: 'Q5_K_S',
  17: 'Q5_K_M',
  18: 'Q6_K',
  19: 'IQ2_XXS',
  20: 'IQ2_XS',
  21: 'Q2_K_S',
  22: 'IQ3_XS',
  23: 'IQ3_XXS',
  24: 'IQ1_S',
  25: 'IQ4_NL',
  26: 'IQ3_S',
  27: 'IQ3_M',
  28: 'IQ2_S',
  29: 'IQ2_M',
  30: 'IQ4_XS',
  31: 'IQ1_M',
  32: 'BF16',
  36: 'TQ1_0',
  37: 'TQ2_0',
  38: 'MXFP4_MOE',
}

function quantizationOf(metadata: Gguf.Header['metadata']): string {
  const type = integerOf(metadata, 'general.file_type')
  const name = fileTypes[type]
  if (name === undefined)
    throw new GgufManifestError('general.file_type', `is ${type}, no quantization known here`)
  return name
}

function textOf(metadata: Gguf.Header['metadata'], key: string): string {
  const value = metadata.get(key)
  if (typeof value === 'string') return value
  throw new GgufManifestError(key, value === undefined ? 'is missing' : `is a ${typeof value}, not a text`)
}

function integerOf(metadata: Gguf.Header['metadata'], key: string): number {
  const value = metadata.get(key)
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw new GgufManifestError(key, value === undefined ? 'is missing' : 'is not an integer')
}

function sha256(text: string): Bytes.Hex {
  return `0x${createHash('sha256').update(text, 'utf8').digest('hex')}`
}

export class GgufManifestError extends Error {
  override readonly name = 'GgufManifestError'
  readonly key: string
  constructor(key: string, complaint: string) {
    super(`the GGUF key ${key} ${complaint}; the file cannot be described by a manifest`)
    this.key = key
  }
}
