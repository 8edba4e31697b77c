import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Clock } from '@counterfoil/chain'
import { Llama } from '@counterfoil/engines'
import { Params as GatewayParams } from '@counterfoil/gateway'
import { Bytes, Network, Offer, ProviderHttp, Trace } from '@counterfoil/protocol'
import * as ProviderClient from '../../gateway/src/ProviderClient.ts'
import * as Daemon from '../src/Daemon.ts'
import * as Bed from './Bed.ts'
import * as DirectLlama from './DirectLlama.ts'
import * as Params from './Params.ts'
import * as Rounds from './Rounds.ts'
import * as Row from './Row.ts'
import { cpuSecondsOfTree } from './Usage.ts'

const section = 'Provider'
const names = {
  direct: 'llama.cpp directly, same logits and sampler',
  adapter: 'engine adapter (a process of its own, text)',
  daemon: 'provider daemon over HTTP (trace, claim on disk)',
  bare: 'llama.cpp directly, greedy, no logits',
} as const
type Arm = keyof typeof names

/**
 * One answer at a time to one and the same job, from the same prompt tokens to the same answer tokens, on one thread: by
 * llama.cpp in this process, by the engine's adapter, and by a provider's daemon on a real chain with a signed, durable
 * claim at the end. The first token counts from the moment the job is handed over.
 */
export async function run(mode: Params.Mode): Promise<readonly Row.Row[]> {
  const model = await Bed.model()
  return Bed.lend(model.id, (bed, stack) => compare(mode, bed, stack, model))
}

async function compare(
  mode: Params.Mode,
  bed: Bed.Bed,
  stack: AsyncDisposableStack,
  { id: model, path: modelPath, storeDir }: Bed.Model,
): Promise<readonly Row.Row[]> {
  const { outputTokens, rounds } = mode.provider
  const settings = { modelPath, threads: Params.threads, contextLength: Params.contextLength }
  const daemon = await startDaemon(bed, model, storeDir)
  stack.defer(() => daemon.stop())
  const client = ProviderClient.create({
    ...{ endpoint: daemon.url, channel: bed.channel, payee: bed.provider.address },
    ...{ domain: Network.eip712(bed.network), privateKey: Bytes.fromHex(bed.payer.privateKey) },
    ...{ clock: Clock.system, limits: GatewayParams.limits },
  })
  stack.defer(() => client.close())
  const engine = stack.use(await Llama.create(settings))
  const direct = stack.use(await DirectLlama.create(settings))

  const { offers } = ProviderHttp.readOffers(await client.get(ProviderHttp.paths.offers), '$')
  const offer = offers[0] ?? fail('the provider has no offer')
  const job: ProviderHttp.JobPost['job'] = {
    schema: 'counterfoil/job/1',
    model,
    messages: [{ role: 'user', content: 'Write a long story about a lighthouse keeper.' }],
    maxTokens: outputTokens,
    samplerSeed: `0x${'01'.repeat(32)}`,
    temperature: 1,
    topP: 1,
    stop: [],
    logprobs: false,
    topLogprobs: 0,
  }
  const { promptTokens } = await engine.prepare(job, { startedMs: 0 })
  const draw = { seed: job.samplerSeed, temperature: 1, topP: 1, count: outputTokens }
  const own = () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  }
  const enginePid = engine.pid ?? fail('the engine has no process')

  let expected: string | undefined
  /** Only equal work can be compared: every arm that samples must yield the same tokens. */
  function same(tokens: readonly number[]): readonly number[] {
    expected ??= tokens.join()
    return tokens.join() === expected ? tokens : fail(`got tokens ${tokens.join()}, expected ${expected}`)
  }

  const arms: Rounds.Arms<Arm, keyof typeof metrics> = {
    direct: () =>
      measure(own, async (onToken) => {
        const tokens: number[] = []
        await direct.sampled(promptTokens, draw, (token) => {
          onToken()
          tokens.push(token)
        })
        return same(tokens)
      }),
    adapter: () =>
      measure(
        () => cpuSecondsOfTree(enginePid),
        async (onToken) => {
          const tokens: number[] = []
          const prepared = await engine.prepare(job, { startedMs: 0 })
          for await (const step of engine.generate(prepared, job)) {
            onToken()
            tokens.push(step.token)
          }
          return same(tokens)
        },
      ),
    daemon: () =>
      measure(
        () => cpuSecondsOfTree(daemon.pid()),
        async (onToken) => {
          const nonce = Bytes.toHex(new Uint8Array(randomBytes(32)))
          const post = { channel: bed.channel, offer: Offer.id(offer.offer), job, nonce }
          const stream = await client.run(post, {
            ...{ endpoint: daemon.url, limits: GatewayParams.limits, eventCharsMax: 1 << 20 },
          })
          for (;;) {
            const event = await stream.next()
            if (event?.event === 'delta') onToken()
            else if (event?.event === 'end')
              return same(Trace.decode(event.data.trace).flatMap((choice) => choice.map(({ id }) => id)))
            else fail(`the job ended without a claim: ${JSON.stringify(event?.data)}`)
          }
        },
      ),
    bare: () =>
      measure(own, async (onToken) => {
        const tokens: number[] = []
        await direct.greedy(promptTokens, outputTokens, (token) => {
          onToken()
          tokens.push(token)
        })
        return tokens
      }),
  }
  return toRows(await Rounds.interleave(arms, { warmup: mode.warmup, rounds }))
}

const metrics = {
  rate: { metric: 'decoding', unit: 'tokens/s' },
  firstMs: { metric: 'first token after', unit: 'ms' },
  wholeMs: { metric: 'whole answer after', unit: 'ms' },
  cpuMs: { metric: 'processor time', unit: 'ms a token' },
} as const

function toRows(samples: Rounds.Samples<Arm, keyof typeof metrics>): readonly Row.Row[] {
  return (Object.keys(metrics) as (keyof typeof metrics)[]).flatMap((metric) =>
    Row.compare<Arm>(
      (arm) => ({ section, what: names[arm], ...metrics[metric] }),
      Rounds.metric(samples, metric),
      'direct',
    ),
  )
}

async function measure(
  cpuSeconds: () => number,
  work: (onToken: () => void) => Promise<readonly number[]>,
): Promise<Rounds.Metrics<keyof typeof metrics>> {
  const cpuBefore = cpuSeconds()
  const start = performance.now()
  let first = 0
  let last = 0
  const tokens = await work(() => {
    last = performance.now()
    if (first === 0) first = last
  })
  const wholeMs = performance.now() - start
  const cpuMs = ((cpuSeconds() - cpuBefore) * 1000) / tokens.length
  return { rate: (tokens.length - 1) / ((last - first) / 1000), firstMs: first - start, wholeMs, cpuMs }
}

function startDaemon(bed: Bed.Bed, model: Bytes.Hex, storeDir: string): Promise<Daemon.Daemon> {
  return Daemon.create({
    room: 'provider',
    name: 'provider',
    log: bed.log('provider'),
    env: {
      COUNTERFOIL_NETWORK: bed.networkFile,
      PROVIDER_PORT: String(bed.provider.port),
      PROVIDER_KEY_FILE: join(bed.keys, 'provider.key'),
      PROVIDER_RECEIPT_KEY_FILE: bed.provider.key.path,
      PROVIDER_DATA: join(bed.dir, 'provider'),
      PROVIDER_STORE: storeDir,
      PROVIDER_MODEL: model,
      PROVIDER_SEQUENCES: '1',
      PROVIDER_THREADS: String(Params.threads),
      PROVIDER_CONTEXT: String(Params.contextLength),
      // No voucher is sent: what is measured is answering.
      PROVIDER_CREDIT_JOBS: '1000',
    },
  })
}

function fail(message: string): never {
  throw new Error(message)
}
