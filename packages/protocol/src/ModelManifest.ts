import * as Bytes from './Bytes.ts'
import * as Canonical from './Canonical.ts'
import * as Decode from './Decode.ts'
import * as Digest from './Digest.ts'
import * as Params from './Params.ts'

const text = Decode.text(Params.textCharsMax)

const file = Decode.object({
  path: text,
  size: Decode.integer(0, Number.MAX_SAFE_INTEGER),
  sha256: Decode.digest,
  role: Decode.literal('weights', 'tokenizer', 'config', 'template', 'other'),
})

const parent = Decode.object({
  model: Decode.digest,
  relation: Decode.literal('finetune', 'quantization', 'adapter', 'merge', 'distillation'),
})

const read = Decode.object({
  schema: Decode.literal('counterfoil/model/1'),
  name: text,
  version: text,
  license: text,
  format: Decode.literal('gguf', 'onnx', 'circuit'),
  architecture: text,
  quantization: text,
  contextLength: Decode.integer(1, Params.contextTokensMax),
  chatTemplate: Decode.digest,
  tokenizer: Decode.digest,
  files: Decode.array(file, Params.manifestFilesMax),
  parents: Decode.array(parent, Params.manifestParentsMax),
})

/**
 * What a model *is*: every file by digest, and where it descends from. Where to fetch it stands beside it, not in it.
 * `chatTemplate` and `tokenizer` are digests (32 zero bytes: none); `license` is an SPDX expression.
 */
export type ModelManifest = ReturnType<typeof read>

export type File = ModelManifest['files'][number]

/** A manifest from JSON; paths must be relative, unique and in order, so that one model has one manifest. */
export function decode(value: unknown): ModelManifest {
  const manifest = read(value, '$')
  if (manifest.files.length === 0)
    throw new Decode.DecodeError('missing', '$.files', 0, 'must list at least one file')
  manifest.files.forEach((one, i) => {
    const at = `$.files[${i}].path`
    if (!isRelative(one.path))
      throw new Decode.DecodeError(
        'range',
        at,
        one.path,
        'must be a relative path without empty, . or .. parts',
      )
    const previous = manifest.files[i - 1]
    if (previous && previous.path === one.path)
      throw new Decode.DecodeError('duplicate', at, one.path, 'stands twice')
    if (previous && previous.path > one.path)
      throw new Decode.DecodeError('order', at, one.path, 'must follow in order of UTF-16 code units')
  })
  const bytes = Bytes.textLength(Canonical.encode(manifest))
  if (bytes > Params.manifestBytesMax)
    throw new Decode.DecodeError('too-long', '$', bytes, `must have at most ${Params.manifestBytesMax} bytes`)
  return manifest
}

/**
 * `modelId = H("model", JCS(manifest))`: the name of exactly these weights, template and tokenizer.
 * @example ModelManifest.id(ModelManifest.decode(JSON.parse(text))) // '0x…'
 */
export function id(manifest: ModelManifest): Bytes.Hex {
  return Digest.ofJson('model', manifest)
}

function isRelative(path: string): boolean {
  return !/[\\\0]/.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
}
