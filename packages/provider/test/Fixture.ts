import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Access,
  Bytes,
  type Job,
  ModelManifest,
  Network,
  Nonce,
  Offer,
  ProviderHttp,
  Refusal,
  Voucher,
} from '@counterfoil/protocol'
import { privateKeyToAddress } from 'viem/accounts'
import { type Config, create, type Service, SigningKey } from '../src/index.ts'
import { FakeChain, FakeClock, FakeEngine } from './Fakes.ts'

const address = (n: number): Bytes.Hex => `0x${n.toString(16).padStart(40, '0')}`

export const network: Network.Network = {
  name: 'test',
  chainId: 31337,
  rpc: 'http://127.0.0.1:1',
  epochSeconds: 5,
  contracts: {
    providers: address(1),
    models: address(2),
    channels: address(3),
    commitments: address(4),
    audits: address(6),
    stable: address(5),
  },
}

export const manifest: ModelManifest.ModelManifest = {
  schema: 'counterfoil/model/1',
  name: 'fake',
  version: '1',
  license: 'Apache-2.0',
  format: 'gguf',
  architecture: 'fake',
  quantization: 'none',
  contextLength: 256,
  chatTemplate: Bytes.zero32,
  tokenizer: Bytes.zero32,
  files: [{ path: 'a', size: 1, sha256: Bytes.zero32, role: 'weights' }],
  parents: [],
}

export const modelId = ModelManifest.id(manifest)

export const silent = { info() {}, warn() {}, error() {} }
export const newPem = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()

/** Whoever pays: the key pinned as a channel's signer, and the channel. */
export type Payer = { readonly key: Uint8Array; readonly channel: Bytes.Hex; readonly signer: Bytes.Hex }

/** A provider over fakes on a real socket, with one funded channel. */
export class Fixture {
  readonly dir: string
  readonly clock = new FakeClock()
  readonly chain = new FakeChain(address(0xbeef), this.clock)
  readonly engine = new FakeEngine()
  key = SigningKey.fromPem(newPem())
  readonly payer = this.openChannel(1_000_000n)
  #service: Service | undefined
  #token: string | undefined

  constructor(dir = mkdtempSync(join(tmpdir(), 'provider-'))) {
    this.dir = dir
  }

  get service(): Service {
    if (!this.#service) throw new Error('start() the fixture first')
    return this.#service
  }

  openChannel(
    deposit: bigint,
    changes: Partial<ReturnType<FakeChain['channels']['get']>> = {},
    {
      key = new Uint8Array(randomBytes(32)),
      channel = Bytes.toHex(new Uint8Array(randomBytes(32))),
    }: Partial<Pick<Payer, 'key' | 'channel'>> = {},
  ): Payer {
    const signer = privateKeyToAddress(Bytes.toHex(key)).toLowerCase() as Bytes.Hex
    this.chain.channels.set(channel, {
      payer: address(7),
      payee: this.chain.provider,
      signer,
      deposit,
      redeemed: 0n,
      closed: false,
      ...changes,
    })
    return { key, channel, signer }
  }

  async start(changes: Partial<Config> = {}): Promise<this> {
    if (!this.chain.keys.has(this.key.keyId)) this.chain.keys.set(this.key.keyId, 4_000_000_000)
    this.#service = await create(
      {
        host: '127.0.0.1',
        port: 0,
        network,
        dataDir: this.dir,
        prices: { prompt: 100_000n, cached: 50_000n, output: 400_000n },
        creditJobs: 4,
        redeem: { intervalMs: 3_600_000, thresholdMicros: 1_000_000n, atExit: false },
        ...changes,
      },
      {
        clock: this.clock,
        random: (bytes) => new Uint8Array(randomBytes(bytes)),
        chain: () => this.chain,
        engine: this.engine,
        manifest,
        key: this.key,
        log: silent,
      },
    )
    return this
  }

  async restart(changes: Partial<Config> = {}): Promise<void> {
    await this.service[Symbol.asyncDispose]()
    await this.start(changes)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service?.[Symbol.asyncDispose]()
    rmSync(this.dir, { recursive: true })
  }

  call(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.service.url}${path}`, init)
  }

  async challenge(): Promise<Bytes.Hex> {
    return ProviderHttp.readChallenge(await (await this.call(ProviderHttp.paths.challenge)).json(), '$')
      .challenge
  }

  signAccess(
    challenge: Bytes.Hex,
    payer = this.payer,
    changes: Partial<Access.Access> = {},
  ): Access.SignedAccess {
    const access = {
      channel: payer.channel,
      payee: this.chain.provider,
      challenge,
      expires: Math.floor(this.clock.ms / 1000) + 86_400,
      ...changes,
    }
    return Access.sign(access, Network.eip712(network), payer.key)
  }

  async token(payer = this.payer): Promise<string> {
    if (payer === this.payer && this.#token) return this.#token
    const signed = this.signAccess(await this.challenge(), payer)
    const response = await this.post(ProviderHttp.paths.access, signed, '')
    const { token } = ProviderHttp.readToken(await response.json(), '$')
    if (payer === this.payer) this.#token = token
    return token
  }

  forgetToken() {
    this.#token = undefined
  }

  post(path: string, body: unknown, token: string, signal?: AbortSignal): Promise<Response> {
    return this.call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...(signal && { signal }),
    })
  }

  async offer(): Promise<Offer.SignedOffer> {
    const { offers } = ProviderHttp.readOffers(await (await this.call(ProviderHttp.paths.offers)).json(), '$')
    const [offer] = offers
    if (!offer) throw new Error('no offer')
    return offer
  }

  async jobPost(changes: Partial<Job.Job> = {}, payer = this.payer): Promise<ProviderHttp.JobPost> {
    const { offer } = await this.offer()
    return { channel: payer.channel, offer: Offer.id(offer), job: job(changes), nonce: newNonce() }
  }

  async postJob(post: ProviderHttp.JobPost, payer = this.payer, signal?: AbortSignal): Promise<Response> {
    return this.post(ProviderHttp.paths.jobs, post, await this.token(payer), signal)
  }

  /** Asks, and reads the stream to its end. */
  async ask(post: ProviderHttp.JobPost, payer = this.payer): Promise<Streamed> {
    const response = await this.postJob(post, payer)
    if (response.status !== 200) throw new Refusal.RefusedError(await refusalOf(response))
    return streamed(await eventsOf(response))
  }

  sign(voucher: Omit<Voucher.Voucher, 'channel'>, payer = this.payer): Voucher.SignedVoucher {
    return Voucher.sign({ channel: payer.channel, ...voucher }, Network.eip712(network), payer.key)
  }

  async pay(
    post: Parameters<typeof ProviderHttp.voucherPostToJson>[0],
    payer = this.payer,
  ): Promise<Response> {
    return this.post(
      ProviderHttp.paths.vouchers,
      ProviderHttp.voucherPostToJson(post),
      await this.token(payer),
    )
  }

  async state(payer = this.payer): Promise<ProviderHttp.ChannelState> {
    const headers = { authorization: `Bearer ${await this.token(payer)}` }
    const response = await this.call(ProviderHttp.paths.channel(payer.channel), { headers })
    return ProviderHttp.readChannelState(await response.json(), '$')
  }
}

export function job(changes: Partial<Job.Job> = {}): Job.Job {
  return {
    schema: 'counterfoil/job/1',
    model: modelId,
    messages: [{ role: 'user', content: 'Hi' }],
    maxTokens: 16,
    samplerSeed: Nonce.samplerSeedOf(1),
    temperature: 0,
    topP: 1,
    stop: [],
    logprobs: false,
    topLogprobs: 0,
    ...changes,
  }
}
export const newNonce = () => Bytes.toHex(new Uint8Array(randomBytes(32)))

export async function refusalOf(response: Response): Promise<Refusal.Refusal> {
  return ProviderHttp.readRefusal(await response.json(), '$')
}

export type Streamed = {
  readonly content: string
  readonly deltas: number
  readonly end?: ProviderHttp.End
  readonly error?: Refusal.Refusal
}

export function streamed(events: readonly ProviderHttp.Event[]): Streamed {
  const deltas = events.filter((one) => one.event === 'delta')
  const end = events.find((one) => one.event === 'end')
  const error = events.find((one) => one.event === 'error')
  return {
    content: deltas.map(({ data }) => data.content).join(''),
    deltas: deltas.length,
    ...(end && { end: end.data }),
    ...(error && { error: error.data }),
  }
}

/** Reads events until the stream ends, or `until` says enough. */
export async function eventsOf(
  response: Response,
  until: (event: ProviderHttp.Event) => boolean = () => false,
): Promise<readonly ProviderHttp.Event[]> {
  const events: ProviderHttp.Event[] = []
  let text = ''
  for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += chunk
    for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
      const [, name = '', data = ''] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, at)) ?? []
      text = text.slice(at + 2)
      const event = ProviderHttp.readEvent(name, JSON.parse(data))
      events.push(event)
      if (until(event)) return events
    }
  }
  return events
}

/** Waits for something that another party does; fails with the test's own time-out, never by a guess at a duration. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve))
}
