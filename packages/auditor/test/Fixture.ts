import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Audit,
  Batch,
  type Bytes,
  type Calibration,
  CalibrationRecords,
  Digest,
  type Network,
  type Offer,
  type Statistic,
} from '@counterfoil/protocol'
import { fakeChain } from '../../sdk/test/FakeChain.ts'
import { digest, FakeGateway, type Lies, modelId, nowMs } from '../../sdk/test/FakeGateway.ts'
import type { Log } from '../src/events.ts'
import type * as Ports from '../src/Ports.ts'
import type { Scorer } from '../src/Scorer.ts'
import { type Config, create, type Service, type ServicePorts } from '../src/service.ts'

export const provider: Bytes.Hex = `0x${'aa'.repeat(20)}`
export const auditor: Bytes.Hex = `0x${'ad'.repeat(20)}`
export const payer: Bytes.Hex = `0x${'b0'.repeat(20)}`
export const token = 'a-token-of-a-reader'
/** SHA-256 of {@link token}, as configured. */
const tokenHash = Digest.sha256(new TextEncoder().encode(token))

/** A chain in memory: time and beacons move when a test moves them. */
export class FakeChain implements Ports.Chain {
  readonly auditor = auditor
  readonly commitments: Audit.Commitment[] = []
  readonly gateway: FakeGateway
  now = nowMs / 1000
  isFinal = true
  isBeaconOut = true
  isAway = false
  losesCommits = false
  jobsPosted = 100
  prices: readonly bigint[] = [400_000n]
  stake = 1_000_000_000n
  /** Whether the batches were told of already. */
  isCounted = false

  constructor(gateway: FakeGateway) {
    this.gateway = gateway
  }

  async seconds(): Promise<number> {
    if (this.isAway) throw new Error('the chain is away')
    return this.now
  }
  async commit(plan: { epoch: bigint; root: Bytes.Hex; count: number }): Promise<void> {
    if (this.isAway || this.losesCommits) throw new Error('the chain is away')
    if (this.commitments.some((one) => one.epoch === plan.epoch)) return
    this.commitments.push({
      number: this.commitments.length,
      auditor,
      epoch: plan.epoch,
      root: plan.root,
      count: plan.count,
      blockNumber: BigInt(10 + this.commitments.length),
      time: this.now,
    })
  }
  async committed(epoch: bigint): Promise<Audit.Commitment | 'unknown' | 'never'> {
    const found = this.commitments.find((one) => one.epoch === epoch)
    if (found && this.isFinal) return found
    return Batch.epochAt(this.now, 5) > epoch && !found ? 'never' : 'unknown'
  }
  async beacon({ number }: Audit.Commitment): Promise<Bytes.Hex | undefined> {
    return this.isBeaconOut ? digest(`beacon ${number}`) : undefined
  }
  async key() {
    return this.gateway.key
  }
  async payer(): Promise<Bytes.Hex> {
    return payer
  }
  async jobs(block: bigint) {
    const posted = this.isCounted ? [] : [{ provider, jobs: this.jobsPosted }]
    this.isCounted = true
    return { block: block + 1n, posted }
  }
  async offers(): Promise<readonly Ports.Offered[]> {
    const { keyId, domain } = this.gateway.key
    const offers = this.prices.map(
      (output): Offer.Offer => ({
        domain,
        provider,
        keyId,
        model: modelId,
        runtime: digest('runtime'),
        prices: { prompt: 100_000n, cached: 50_000n, output },
        limits: { contextTokens: 2048, outputTokens: 2048 },
        validity: { notBefore: 0, notAfter: 4_000_000_000 },
        flags: { trace: true },
      }),
    )
    return offers.map((offer) => ({ offer, stake: this.stake }))
  }
}

export const clean: Statistic.Statistic = { first: 0, second: 0, spread: 0, logprob: 0 }
export const bad: Statistic.Statistic = { first: 40_000, second: 40_000, spread: 0, logprob: 0 }

/** Weights that say of every token what a test wants them to say. */
export class FakeScorer implements Scorer {
  readonly gateway: FakeGateway
  statistic = clean
  promptTokens = 12
  failure: Error | undefined
  asked = 0
  text: string
  isEndless = false

  constructor(gateway: FakeGateway) {
    this.gateway = gateway
    this.text = gateway.answerText
  }
  get vocabulary() {
    const words = this.text.split(/(?<= )/)
    return {
      ends: this.isEndless ? [] : [words.length - 1],
      bytes: (id: number) => new TextEncoder().encode(words[id] ?? ''),
    }
  }
  async references(): Promise<readonly [Bytes.Hex, Bytes.Hex]> {
    return [digest('f16'), digest('f32')]
  }
  async score(asked: Parameters<Scorer['score']>[0]) {
    this.asked += 1
    if (this.failure) throw this.failure
    return { promptTokens: this.promptTokens, statistics: asked.tokens.map(() => this.statistic) }
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** As if 40,000 honest tokens of so many machines had shown no excess. */
export function fakeCalibration(count = 2): Calibration.Calibration {
  const answers = Array.from({ length: 800 / count }, () => Array(50).fill(clean))
  const machines = Array.from({ length: count }, (_, i) => digest(`machine ${i}`)).sort()
  return CalibrationRecords.fit(
    machines.map((machine) => ({ machine, answers })),
    { model: modelId, runtime: digest('runtime'), references: [digest('f16'), digest('f32')], created: 1 },
  )
}

/** An auditor among fakes, with a log of its events; the store outlives the service, so that it can be started again. */
export class Bed implements AsyncDisposable {
  readonly gateway: FakeGateway
  readonly chain: FakeChain
  readonly scorer: FakeScorer
  readonly events: Record<string, unknown>[] = []
  readonly dataDir = mkdtempSync(join(tmpdir(), 'counterfoil-auditor-'))
  readonly calibration = fakeCalibration()
  readonly lies: { -readonly [K in keyof Lies]: Lies[K] } = {}
  nowMs = nowMs
  onEvent: (event: string) => void = () => {}
  apiKey = 'key'
  network!: Network.Network
  config!: Config
  #drawn = 0
  #rpc: Awaited<ReturnType<typeof fakeChain>> | undefined

  constructor() {
    this.gateway = new FakeGateway(this.lies)
    this.chain = new FakeChain(this.gateway)
    this.scorer = new FakeScorer(this.gateway)
  }

  static async create(change: Partial<Config> = {}): Promise<Bed> {
    const bed = new Bed()
    bed.#rpc = await fakeChain(bed.gateway)
    bed.network = bed.#rpc.network
    bed.config = {
      host: '127.0.0.1',
      port: 0,
      network: bed.network,
      dataDir: bed.dataDir,
      accounts: [{ baseURL: await bed.gateway.listen(), apiKey: bed.apiKey }],
      models: [{ id: modelId, name: 'fake-model', contextTokens: 2048, quantization: 'Q4_1' }],
      calibrations: [bed.calibration],
      rate: { factor: 1, floor: 1 },
      spreadMs: 0,
      machinesMin: 2,
      modelBytesMax: 1_000_000,
      readers: [Buffer.from(tokenHash).toString('hex')],
      ...change,
    }
    return bed
  }

  /** Starts the service without its clockwork: rounds run when a test says so. */
  async start(change: Partial<ServicePorts> = {}): Promise<Service> {
    const level = (fields: object) => {
      this.events.push({ ...fields })
      this.onEvent(String((fields as { event?: unknown }).event))
    }
    const log: Log = { info: level, warn: level, error: level } as unknown as Log
    return create(this.config, {
      clock: { now: () => this.nowMs, monotonicMs: () => performance.now() },
      random: (bytes) => this.#draw(bytes),
      chain: this.chain,
      references: async () => this.scorer,
      loop: () => ({ stop: async () => {} }),
      log,
      ...change,
    })
  }

  /** The same numbers in each run of a test: what the beacon selects does not depend on luck. */
  #draw(bytes: number): Uint8Array {
    const out = new Uint8Array(bytes)
    for (let at = 0; at < bytes; at += 32) {
      this.#drawn += 1
      out.set(Digest.sha256(new TextEncoder().encode(`draw ${this.#drawn}`)).subarray(0, bytes - at), at)
    }
    return out
  }

  named(event: string): readonly Record<string, unknown>[] {
    return this.events.filter((one) => one.event === event)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]()
    await this.#rpc?.[Symbol.asyncDispose]()
    rmSync(this.dataDir, { recursive: true })
  }
}
