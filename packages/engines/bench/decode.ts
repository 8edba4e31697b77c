import { readFileSync } from 'node:fs'
import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import type { Job } from '@counterfoil/protocol'
import { getLlama, LlamaLogLevel, type Token } from 'node-llama-cpp'
import { Llama, Params } from '../src/index.ts'

// Decoding through the adapter (child process, our sampler, text, IPC) beside node-llama-cpp driven directly with the same
// extraction of logits. Rounds alternate, so that a busy machine slows both alike; only the ratio means something.
// node --conditions=source packages/engines/bench/decode.ts

const rounds = 11
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

type Measured = { readonly rate: number; readonly cpuMs: number; readonly tokens: readonly number[] }

/** Tokens a second from the first token on, and processor time of all processes that work for it, each a token. */
async function measure(run: (onFirst: () => void) => Promise<readonly number[]>): Promise<Measured> {
  let start = 0
  let cpu = 0
  const tokens = await run(() => {
    cpu = cpuMs()
    start = performance.now()
  })
  const count = tokens.length - 1
  return { rate: count / ((performance.now() - start) / 1000), cpuMs: (cpuMs() - cpu) / count, tokens }
}

function direct(tokens: readonly number[]): Promise<Measured> {
  return measure(async (onFirst) => {
    const prompt = prepared.promptTokens.map((token) => token as Token)
    await sequence.controlledEvaluate([...prompt.slice(0, -1), [prompt.at(-1) as Token, options]])
    onFirst()
    for (const token of tokens.slice(0, -1)) await sequence.controlledEvaluate([[token as Token, options]])
    await sequence.clearHistory()
    return tokens
  })
}

function adapter(): Promise<Measured> {
  return measure(async (onFirst) => {
    const tokens: number[] = []
    for await (const step of engine.generate(prepared, job)) {
      if (tokens.length === 0) onFirst()
      tokens.push(step.token)
    }
    return tokens
  })
}

/** Processor time so far of this process and of the engine's child (Linux: clock ticks of 10 ms), in milliseconds. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  const stat = readFileSync(`/proc/${engine.pid}/stat`, 'utf8')
  const [, , , , , , , , , , , utime = '0', stime = '0'] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (user + system) / 1000 + (Number(utime) + Number(stime)) * 10
}

const { tokens } = await adapter()
await direct(tokens)
const pairs: { readonly direct: Measured; readonly adapter: Measured }[] = []
for (let round = 0; round < rounds; round += 1)
  pairs.push({ direct: await direct(tokens), adapter: await adapter() })
const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
console.log({
  outputTokens: tokens.length,
  backend: engine.runtime.backend,
  tokensPerSecond: {
    direct: median(pairs.map((pair) => pair.direct.rate)),
    adapter: median(pairs.map((pair) => pair.adapter.rate)),
    ratio: median(pairs.map((pair) => pair.adapter.rate / pair.direct.rate)),
  },
  cpuMsPerToken: {
    direct: median(pairs.map((pair) => pair.direct.cpuMs)),
    adapter: median(pairs.map((pair) => pair.adapter.cpuMs)),
    ratio: median(pairs.map((pair) => pair.adapter.cpuMs / pair.direct.cpuMs)),
  },
})
await llama.dispose()
