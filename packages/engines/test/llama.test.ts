import { Llama } from '../src/index.ts'
import { conformance } from './conformance.ts'
import { modelPath } from './TestModel.ts'

conformance('llama', async (shape) => Llama.create({ ...shape, modelPath: await modelPath(), threads: 1 }), {
  mean: 0.2,
  each: 1.5,
})
