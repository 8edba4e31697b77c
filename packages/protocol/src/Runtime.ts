import type * as Bytes from './Bytes.ts'
import * as Decode from './Decode.ts'
import * as Digest from './Digest.ts'
import * as Params from './Params.ts'

const text = Decode.text(Params.textCharsMax)

const read = Decode.object({
  schema: Decode.literal('counterfoil/runtime/1'),
  engine: text,
  version: text,
  /** SHA-256 of the native code that runs. */
  binary: Decode.digest,
  backend: text,
  numerics: Decode.object({
    contextLength: Decode.integer(1, Params.contextTokensMax),
    batchSize: Decode.integer(1, Params.contextTokensMax),
    threads: Decode.integer(1, 4096),
    flashAttention: Decode.boolean,
    kvCache: Decode.literal('f32', 'f16', 'bf16', 'q8_0', 'q4_0'),
  }),
  sampler: text,
  grammar: text,
  determinism: Decode.literal('exact', 'statistical'),
})

/**
 * What a model runs on: engine, native code, backend and every setting that moves a logit. `determinism: 'exact'`
 * promises the same bits for the same job; `'statistical'` promises the same distribution.
 */
export type Runtime = ReturnType<typeof read>

export function decode(value: unknown): Runtime {
  return read(value, '$')
}

/** `runtimeId = H("runtime", JCS(runtime))` */
export function id(runtime: Runtime): Bytes.Hex {
  return Digest.ofJson('runtime', runtime)
}
