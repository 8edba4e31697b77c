import type { Channels, Clock, Inclusions } from '@counterfoil/chain'
import { Engine } from '@counterfoil/engines'
import { Batch, Bytes, Claim, type Job, Key, type Runtime, type Voucher } from '@counterfoil/protocol'
import type { Chain, Tag } from '../src/index.ts'

/** Time that moves when told. */
export class FakeClock implements Clock.Clock {
  ms = 1_800_000_000_000
  now() {
    return this.ms
  }
  monotonicMs() {
    return this.ms
  }
  advance(ms: number) {
    this.ms += ms
  }
}

/** A chain in memory. `away` makes every call fail; `lag` blocks of posts and redemptions are not finalized until told. */
export class FakeChain implements Chain {
  readonly provider: Bytes.Hex
  readonly clock: FakeClock
  away = false
  /** Keys registered beside the first one that is asked for, with their ends; seconds. */
  readonly keys = new Map<Bytes.Hex, number>()
  readonly revoked = new Set<Bytes.Hex>()
  readonly channels = new Map<Bytes.Hex, Channels.Channel>()
  readonly latest = { batches: new Map<string, Batch.BatchRoot>(), lines: new Map<string, Channels.Line>() }
  readonly finalized = {
    batches: new Map<string, Batch.BatchRoot>(),
    lines: new Map<string, Channels.Line>(),
  }
  readonly posts: Batch.BatchRoot[] = []
  readonly redemptions: Voucher.SignedVoucher[] = []
  constructor(provider: Bytes.Hex, clock: FakeClock) {
    this.provider = provider
    this.clock = clock
  }
  #reach() {
    if (this.away) throw new Error('connect ECONNREFUSED (FakeChain)')
  }
  finalize() {
    for (const [key, batch] of this.latest.batches) this.finalized.batches.set(key, batch)
    for (const [key, line] of this.latest.lines) this.finalized.lines.set(key, line)
  }
  /** Forgets what was not finalized, as a chain that was restarted does. */
  setBack() {
    this.latest.batches.clear()
    this.latest.lines.clear()
    for (const [key, batch] of this.finalized.batches) this.latest.batches.set(key, batch)
    for (const [key, line] of this.finalized.lines) this.latest.lines.set(key, line)
  }
  async seconds() {
    this.#reach()
    return Math.floor(this.clock.ms / 1000)
  }
  async channel(id: Bytes.Hex) {
    this.#reach()
    return this.channels.get(id)
  }
  async line(channel: Bytes.Hex, model: Bytes.Hex, at: Tag) {
    this.#reach()
    return this[at].lines.get(`${channel}/${model}`) ?? { redeemed: 0n, epoch: 0n }
  }
  async batchEnd(keyId: Bytes.Hex) {
    this.#reach()
    let end = 0n
    for (const batch of this.latest.batches.values())
      if (batch.keyId === keyId && batch.end > end) end = batch.end
    return end
  }
  async batch(keyId: Bytes.Hex, epoch: bigint, at: Tag) {
    this.#reach()
    return this[at].batches.get(`${keyId}/${epoch}`)
  }
  async posted(epoch: bigint) {
    this.#reach()
    return [...this.latest.batches.values()].some((batch) => batch.epoch === epoch)
  }
  async key(keyId: Bytes.Hex) {
    this.#reach()
    const notAfter = this.keys.get(keyId)
    return notAfter === undefined ? undefined : { notAfter, isRevoked: this.revoked.has(keyId) }
  }
  async addKey(key: Parameters<Chain['addKey']>[0]) {
    this.#reach()
    this.keys.set(Key.id(key.publicKey), key.notAfter)
  }
  /** The rules of Commitments.post. */
  async post(batch: Omit<Batch.BatchRoot, 'postedAt' | 'dueAt'>) {
    this.#reach()
    const epochNow = BigInt(Math.floor(this.clock.ms / 5000))
    if (batch.epoch >= epochNow) throw new Error(`EpochStillOpen(${batch.epoch}, ${epochNow})`)
    const end = await this.batchEnd(batch.keyId)
    if (batch.first !== end) throw new Error(`SequenceGap(${batch.first}, ${end})`)
    const posted = { ...batch, postedAt: await this.seconds(), dueAt: (Number(batch.epoch) + 2) * 5 }
    this.latest.batches.set(`${batch.keyId}/${batch.epoch}`, posted)
    this.posts.push(posted)
  }
  async redemptionsIncluded() {
    this.#reach()
  }
  /** The rules of Channels.redeemMany. */
  async redeem(vouchers: readonly Voucher.SignedVoucher[]) {
    this.#reach()
    let paid = 0n
    for (const signed of vouchers) {
      const { channel, model, cumulative, epoch } = signed.voucher
      const line = await this.line(channel, model, 'latest')
      if (!(await this.posted(epoch))) throw new Error(`NotCommitted(${epoch})`)
      if (cumulative <= line.redeemed) throw new Error(`NothingToRedeem(${cumulative}, ${line.redeemed})`)
      this.latest.lines.set(`${channel}/${model}`, { redeemed: cumulative, epoch })
      this.redemptions.push(signed)
      paid += cumulative - line.redeemed
    }
    return { paid, refused: [] }
  }
  readonly demanded: Inclusions.Demanded[] = []
  async demands() {
    this.#reach()
    return [...this.demanded]
  }
  /** The rules of Inclusions.answer. */
  async answer(claim: Claim.Claim, path: readonly Bytes.Hex[]) {
    this.#reach()
    const place = { id: Claim.id(claim), sequence: claim.sequence }
    const batch = await this.batch(claim.keyId, claim.epoch, 'latest')
    if (!batch || !Batch.includes(batch, place, path)) throw new Error(`NotIncluded(${place.id})`)
    const at = this.demanded.findIndex(({ claimId }) => claimId === place.id)
    if (at < 0) throw new Error(`NotDemanded(${place.id})`)
    this.demanded.splice(at, 1)
  }
  async tend() {
    this.#reach()
  }
}

const runtime: Runtime.Runtime = {
  schema: 'counterfoil/runtime/1',
  engine: 'fake',
  version: '1',
  binary: Bytes.zero32,
  backend: 'none',
  numerics: { contextLength: 256, batchSize: 1, threads: 1, flashAttention: false, kvCache: 'f32' },
  sampler: 'gumbel/1',
  grammar: 'none',
  determinism: 'exact',
}

/**
 * Says the words of `script`, one token each, then ends. While `hold` is set, each step waits for `next()`; so a test
 * decides how far an answer has come. `busy` counts the sequences in use.
 */
export class FakeEngine implements Engine.Engine {
  readonly runtime = runtime
  limits = { contextLength: 256, sequences: 2 }
  script = ['Hello', ' there', ',', ' world', '.']
  hold = false
  crashAt: number | undefined
  /** Goes on after an abort, as steps do that were under way when it came. */
  deaf = false
  busy = 0
  /** Steps handed out. */
  steps = 0
  /** Jobs whose signal was aborted. */
  aborts = 0
  #permits = 0
  #wake: (() => void)[] = []

  next(steps = 1) {
    this.#permits += steps
    for (const wake of this.#wake.splice(0)) wake()
  }

  async prepare(job: Job.Job) {
    const length = job.messages.reduce((sum, message) => sum + Bytes.textLength(message.content) + 4, 0)
    if (length >= this.limits.contextLength)
      throw new Engine.EngineRefusal(
        'context_length_exceeded',
        `The prompt has ${length} tokens, the context ${this.limits.contextLength}.`,
        { promptTokens: length, contextLength: this.limits.contextLength },
      )
    return {
      promptTokens: Array.from({ length }, (_, i) => i),
      cachedTokens: 0,
      outputTokensMax: Math.min(job.maxTokens, this.limits.contextLength - length),
    }
  }

  async *generate(
    prepared: Engine.Prepared,
    job: Job.Job,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Engine.Step, void, undefined> {
    this.busy += 1
    signal?.addEventListener('abort', () => {
      this.aborts += 1
    })
    try {
      const count = Math.min(this.script.length + 1, prepared.outputTokensMax)
      for (let i = 0; i < count; i++) {
        await this.#permit(this.deaf ? undefined : signal)
        if (this.crashAt === i)
          throw new Engine.EngineCrashed('fake crash', { code: 1, signal: null, diagnostics: '' })
        const text = this.script[i] ?? ''
        const bytes = Bytes.fromText(text)
        this.steps += 1
        yield {
          choice: 0,
          token: i < this.script.length ? 100 + i : 2,
          text,
          bytes,
          logprob: -0.25 * (i + 1),
          ...(job.topLogprobs > 0 && { top: [{ token: 1, text, bytes, logprob: -0.25 }] }),
          ...(i === this.script.length && { finish: 'stop' as const }),
          ...(i === count - 1 && i < this.script.length && { finish: 'length' as const }),
        }
      }
    } finally {
      this.busy -= 1
    }
  }

  async score(): Promise<never> {
    throw new Error('FakeEngine scores nothing')
  }
  async [Symbol.asyncDispose]() {}

  async #permit(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    while (this.hold && this.#permits === 0) {
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve)
        signal?.addEventListener('abort', () => resolve(), { once: true })
      })
      signal?.throwIfAborted()
    }
    if (this.hold) this.#permits -= 1
  }
}
