import { Engine } from '@counterfoil/engines'
import { Bytes, type Runtime } from '@counterfoil/protocol'
import * as FakeAnswer from './FakeAnswer.ts'
import * as Params from './Params.ts'

const runtime: Runtime.Runtime = {
  schema: 'counterfoil/runtime/1',
  engine: 'fake',
  version: '1',
  binary: Bytes.zero32,
  backend: 'none',
  numerics: {
    ...{ contextLength: Params.contextLength, batchSize: 1, threads: 1 },
    ...{ flashAttention: false, kvCache: 'f32' },
  },
  sampler: 'gumbel/1',
  grammar: 'none',
  determinism: 'exact',
}

/** No model: as many words as the job allows, one a turn of the event loop. Where volume is measured, not inference. */
export function create(): Engine.Engine {
  return {
    runtime,
    limits: { contextLength: Params.contextLength, sequences: Params.connections },
    async prepare({ maxTokens }) {
      return {
        promptTokens: Array.from({ length: 16 }, (_, i) => i),
        cachedTokens: 0,
        outputTokensMax: maxTokens,
      }
    },
    async *generate({ outputTokensMax }, _job, { signal } = {}) {
      for (const [i, text] of FakeAnswer.texts(outputTokensMax).entries()) {
        signal?.throwIfAborted()
        await new Promise((resolve) => setImmediate(resolve))
        yield {
          ...{ choice: 0, token: (i * 7919) % 49_152, text, bytes: Buffer.from(text), logprob: -i / 1024 },
          ...(i === outputTokensMax - 1 && { finish: 'length' as const }),
        }
      }
    },
    score() {
      throw new Engine.EngineRefusal('invalid_value', 'the fake engine scores nothing')
    },
    async [Symbol.asyncDispose]() {},
  }
}
