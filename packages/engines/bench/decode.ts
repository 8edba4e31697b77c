import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import type { Job } from '@counterfoil/protocol'
import { getLlama, LlamaLogLevel, type Token } from 'node-llama-cpp'
import { Llama, Params } from '../src/index.ts'

// Decoding through the adapter (child process, our sampler, text, IPC) beside node-llama-cpp driven directly with the same
// extraction of logits. Rounds alternate, so that a busy machine slows both alike; only the ratio means something.
// node --conditions=source packages/engines/bench/decode.ts

const rounds = 8
const outputTokens = 64
const contextLength = 1024
const width = 64 + Params.tieMarginLogits

const store = await Store.open({ dir: defaultStoreDir(process.env) })
await pull(store, defaultModel)
const modelPath = Store.path(store, defaultModel.manifest.files[0].sha256)

const job: Job.Job = {
  schema: 'counterfoil/job/1',
  model: `0x${'00'.repeat(32)}`,
  messages: [{ role: 'user', content: 'Write a long story about a lighthouse keeper.' }],
  maxTokens: outputTokens,
  samplerSeed: `0x${'01'.repeat(32)}`,
  temperature: 1,
  topP: 1,
  stop: [],
  logprobs: false,
  topLogprobs: 0,
}

await using engine = await Llama.create({ modelPath, threads: 1, contextLength })
const prepared = await engine.prepare(job, { startedMs: 0 })

const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  progressLogs: false,
  logLevel: LlamaLogLevel.error,
  maxThreads: 0,
})
const model = await llama.loadModel({ modelPath })
const context = await model.createContext({ contextSize: contextLength, threads: 1, flashAttention: false })
const sequence = context.getSequence()
const options = {
  generateNext: {
    token: true,
    totalLogitWeight: true,
    logits: { filter: { tokens: [], includeTop: width } },
    options: { temperature: 0 },
  },
}

/** Tokens a second from the first token on. */
async function direct(tokens: readonly number[]): Promise<number> {
  const prompt = prepared.promptTokens.map((token) => token as Token)
  await sequence.controlledEvaluate([...prompt.slice(0, -1), [prompt.at(-1) as Token, options]])
  const start = performance.now()
  for (const token of tokens.slice(0, -1)) await sequence.controlledEvaluate([[token as Token, options]])
  const seconds = (performance.now() - start) / 1000
  await sequence.clearHistory()
  return (tokens.length - 1) / seconds
}

async function adapter(): Promise<{ readonly rate: number; readonly tokens: readonly number[] }> {
  const tokens: number[] = []
  let start = 0
  for await (const step of engine.generate(prepared, job)) {
    if (tokens.length === 0) start = performance.now()
    tokens.push(step.token)
  }
  return { rate: (tokens.length - 1) / ((performance.now() - start) / 1000), tokens }
}

const { tokens } = await adapter()
await direct(tokens)
const pairs: { readonly direct: number; readonly adapter: number }[] = []
for (let round = 0; round < rounds; round += 1)
  pairs.push({ direct: await direct(tokens), adapter: (await adapter()).rate })
const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
const result = {
  outputTokens: tokens.length,
  backend: engine.runtime.backend,
  direct: median(pairs.map((pair) => pair.direct)),
  adapter: median(pairs.map((pair) => pair.adapter)),
  ratio: median(pairs.map((pair) => pair.adapter / pair.direct)),
}
console.log(JSON.stringify(result))
await llama.dispose()
