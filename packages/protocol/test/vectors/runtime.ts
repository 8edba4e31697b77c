import { Canonical, Runtime } from '../../src/index.ts'
import * as Example from '../Example.ts'
import { type Case, invalidJson, type Vectors } from './Vectors.ts'

function valid(name: string, change: Partial<Runtime.Runtime>): Case {
  const runtime = Runtime.decode({ ...Example.runtime, ...change })
  return { name, runtime, canonical: Canonical.encode(runtime), id: Runtime.id(runtime) }
}

export const runtime: Vectors = {
  valid: [
    valid('statistical', {}),
    valid('exact', {
      backend: 'cpu-sse42',
      determinism: 'exact',
      numerics: { contextLength: 8192, batchSize: 1, threads: 4096, flashAttention: true, kvCache: 'q8_0' },
    }),
    valid('the least of each', {
      numerics: { contextLength: 1, batchSize: 1, threads: 1, flashAttention: false, kvCache: 'f32' },
    }),
    valid('another sampler', { sampler: 'argmax/1' }),
  ],
  invalid: invalidJson(Example.runtime, [
    ['another schema', ['schema'], 'counterfoil/runtime/0', 'range', '$.schema'],
    ['no engine', ['engine'], undefined, 'missing', '$.engine'],
    ['a version that is a number', ['version'], 7, 'type', '$.version'],
    ['a binary of 31 bytes', ['binary'], `0x${'00'.repeat(31)}`, 'hex', '$.binary'],
    ['no threads', ['numerics', 'threads'], 0, 'range', '$.numerics.threads'],
    ['4097 threads', ['numerics', 'threads'], 4097, 'range', '$.numerics.threads'],
    ['flash attention as text', ['numerics', 'flashAttention'], 'no', 'type', '$.numerics.flashAttention'],
    ['an unknown cache', ['numerics', 'kvCache'], 'f64', 'range', '$.numerics.kvCache'],
    ['an unknown setting', ['numerics', 'gpuLayers'], 1, 'unknown-field', '$.numerics.gpuLayers'],
    ['an unknown determinism', ['determinism'], 'usually', 'range', '$.determinism'],
  ]),
}
