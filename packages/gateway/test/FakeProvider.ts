import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  Access,
  Batch,
  Bytes,
  Claim,
  type Finish,
  type Job,
  Job as Jobs,
  Key,
  ModelManifest,
  Network,
  Nonce,
  Offer,
  Output,
  P256,
  ProviderHttp,
  type Refusal,
  Trace,
  Voucher,
} from '@counterfoil/protocol'

// A small real HTTP server that speaks the provider's API with the real codecs and signs with node:crypto; only the model is
// missing, and it can be told to lie in every way that a gateway has to notice.

/** What is changed in a claim before it is signed, or in the answer beside it. */
export type Lie = (
  end: ProviderHttp.End,
  context: { readonly salts: Nonce.Salts; readonly job: Job.Job },
) => ProviderHttp.End

export type FakeProvider = {
  readonly url: string
  readonly address: Bytes.Hex
  readonly key: Key.ReceiptKey
  readonly manifest: ModelManifest.ModelManifest
  readonly model: Bytes.Hex
  readonly privateKey: KeyObject
  /** The pieces of every answer; an end-of-sequence token follows. */
  tokens: readonly string[]
  lie: Lie | undefined
  /** Called before event `n` of a job is sent (deltas from 0, then the end); what it returns is waited for. */
  before: ((n: number, response: ServerResponse) => unknown) | undefined
  /** Every new job is refused with this. */
  refusal: Refusal.Code | undefined
  prices: Offer.Prices
  limits: Offer.Offer['limits']
  credit: bigint
  /** Jobs that were posted, vouchers that were taken, cancellations. */
  readonly jobs: ProviderHttp.JobPost[]
  readonly vouchers: ProviderHttp.VoucherPost[]
  readonly cancelled: Bytes.Hex[]
  readonly claims: Map<Bytes.Hex, Held>
  /** Vouchers are answered with a broken connection while this holds. */
  vouchersAway: boolean
  paid(): bigint
  /** Forgets all access tokens, as a restart does. */
  forgetTokens(): void
  close(): Promise<void>
}

type Held = { readonly end: ProviderHttp.End; state: 'unpaid' | 'paid' | 'refused' }

export type Options = {
  readonly network: Network.Network
  readonly address: Bytes.Hex
  /** The address pinned as signer of the channels. */
  readonly signer: Bytes.Hex
  readonly name?: string
  readonly epoch: () => bigint
  readonly port?: number
}

const eos = 2

export async function create(options: Options): Promise<FakeProvider> {
  const { network, address, epoch } = options
  const domain = Network.domain(network)
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const now = Math.floor(Date.now() / 1000)
  const point = pointOf(publicKey)
  const key: Key.ReceiptKey = {
    domain,
    keyId: Key.id(point),
    provider: address,
    publicKey: point,
    notBefore: now - 1000,
    notAfter: now + 100_000,
  }
  const manifest = ModelManifest.decode({
    schema: 'counterfoil/model/1',
    name: options.name ?? 'test-model',
    version: '1',
    license: 'Apache-2.0',
    format: 'gguf',
    architecture: 'llama',
    quantization: 'Q4_1',
    contextLength: 2048,
    chatTemplate: Bytes.zero32,
    tokenizer: Bytes.zero32,
    files: [{ path: 'model.gguf', size: 1, sha256: Bytes.zero32, role: 'weights' }],
    parents: [],
  })
  const model = ModelManifest.id(manifest)
  const runtime = hash('runtime')
  const running = new Map<Bytes.Hex, AbortController>()
  const lines = new Map<Bytes.Hex, Voucher.SignedVoucher>()
  const tokens = new Set<string>()
  const offered = new Map<Bytes.Hex, Offer.SignedOffer>()
  let challenge: Bytes.Hex = Bytes.zero32
  let sequence = 0n

  const self: FakeProvider = {
    get url() {
      return url
    },
    ...{ address, key, manifest, model, privateKey },
    tokens: ['The', ' capital', ' of', ' Japan', ' is', ' Tokyo', '.'],
    lie: undefined,
    before: undefined,
    refusal: undefined,
    prices: { prompt: 100_000n, cached: 50_000n, output: 400_000n },
    limits: { contextTokens: 2048, outputTokens: 1024 },
    credit: 1_000_000n,
    jobs: [],
    vouchers: [],
    cancelled: [],
    claims: new Map(),
    vouchersAway: false,
    paid: () => [...lines.values()].reduce((sum, { voucher }) => sum + voucher.cumulative, 0n),
    forgetTokens: () => tokens.clear(),
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }

  function offer(): Offer.SignedOffer {
    const one: Offer.Offer = {
      ...{ domain, provider: address, keyId: key.keyId, model, runtime },
      ...{ prices: self.prices, limits: self.limits },
      validity: { notBefore: now - 100, notAfter: now + 50_000 },
      flags: { trace: true },
    }
    const signed = { offer: one, signature: signWith(privateKey, Offer.message(one)) }
    offered.set(Offer.id(one), signed)
    return signed
  }

  function conclude(
    post: ProviderHttp.JobPost,
    sampled: readonly string[],
    finish: Finish.Finish,
    signed: Offer.SignedOffer,
    startedMs: number,
  ): ProviderHttp.End {
    const salts = Nonce.salts(post.nonce)
    const whole = finish === 'stop'
    const trace = Trace.encode([
      [
        ...sampled.map((_, i) => ({ id: 100 + i, logprob: -10 * (i + 1) })),
        ...(whole ? [{ id: eos, logprob: -3 }] : []),
      ],
    ])
    const usage = { promptTokens: 12, cachedTokens: 0, outputTokens: Trace.length(trace) }
    const output: Output.Output = {
      schema: 'counterfoil/output/1',
      choices: [
        {
          message: { role: 'assistant', content: sampled.join('') },
          finish,
          ...(post.job.logprobs ? { logprobs: sampled.map((text, i) => logprob(text, i, post.job)) } : {}),
        },
      ],
      usage,
    }
    const claim: Claim.Claim = {
      ...{ domain, provider: address, keyId: key.keyId, sequence, epoch: epoch() },
      ...{ model, runtime, offer: Offer.id(signed.offer) },
      request: Jobs.digest(post.job, salts.request),
      answer: Output.digest(output, salts.answer),
      trace: Trace.root(trace, salts.trace),
      ...{ usage, finish, channel: post.channel, amount: Offer.charge(signed.offer.prices, usage) },
      time: { started: startedMs, firstToken: startedMs, ended: Date.now() },
      ...{ parents: Bytes.zero32, evidence: Bytes.zero32 },
    }
    sequence += 1n
    const honest = {
      receipt: { claim, signature: signWith(privateKey, Claim.encode(claim)), evidence: [] },
      output,
      trace,
    }
    const end = self.lie?.(honest, { salts, job: post.job }) ?? honest
    self.claims.set(Claim.id(end.receipt.claim), { end, state: 'unpaid' })
    return end
  }

  async function run(
    post: ProviderHttp.JobPost,
    request: Bytes.Hex,
    response: ServerResponse,
  ): Promise<void> {
    const signed = offered.get(post.offer)
    if (!signed) return error(response, 'offer_expired', 409)
    const controller = new AbortController()
    running.set(request, controller)
    response.on('close', () => {
      if (!response.writableFinished) controller.abort()
    })
    const startedMs = Date.now()
    const aborted = once(controller.signal, 'abort').catch(() => {})
    try {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.flushHeaders()
      const limit = Math.min(post.job.maxTokens, self.tokens.length)
      const sampled: string[] = []
      for (let i = 0; i < limit && !controller.signal.aborted; i++) {
        await Promise.race([self.before?.(i, response), aborted])
        if (controller.signal.aborted || response.writableEnded) break
        const content = self.tokens[i] ?? ''
        sampled.push(content)
        const logprobs = post.job.logprobs ? { logprobs: [logprob(content, i, post.job)] } : {}
        send(response, 'delta', { content, ...logprobs })
      }
      if (!controller.signal.aborted) await Promise.race([self.before?.(limit, response), aborted])
      if (response.writableEnded) return
      const finish = controller.signal.aborted
        ? 'aborted'
        : post.job.maxTokens <= self.tokens.length
          ? 'length'
          : 'stop'
      if (finish === 'aborted' && sampled.length === 0) {
        const body = { message: 'cancelled', type: 'server_error', param: null, code: 'unavailable' }
        send(response, 'error', { error: body })
        return void response.end()
      }
      const end = conclude(post, sampled, finish, signed, startedMs)
      send(response, 'end', ProviderHttp.endToJson(end))
      response.end()
    } finally {
      running.delete(request)
    }
  }

  function settle(post: ProviderHttp.VoucherPost): string | undefined {
    const { voucher } = post.voucher
    if (Voucher.signer(post.voucher, Network.eip712(network)) !== options.signer)
      return 'not signed by the channel key'
    const base = lines.get(voucher.model)?.voucher ?? { cumulative: 0n, epoch: 0n }
    const claims = post.accepts.map((id) => self.claims.get(id))
    if (voucher.cumulative < base.cumulative) return undefined
    if (claims.some((held) => !held)) return 'an accepted claim is unknown'
    const accepted = claims.filter((held) => held !== undefined)
    const repeats = voucher.cumulative === base.cumulative && accepted.every(({ state }) => state === 'paid')
    if (!repeats) {
      if (accepted.some(({ state }) => state === 'paid')) return 'an accepted claim was paid before'
      const sum = accepted.reduce((total, { end }) => total + end.receipt.claim.amount, base.cumulative)
      if (accepted.length > 0 && sum !== voucher.cumulative) return `cumulative must be ${sum}`
      const epochs = accepted.map(({ end }) => end.receipt.claim.epoch)
      const highest = [base.epoch, ...epochs].sort((a, b) => Number(b - a))[0]
      if (accepted.length > 0 && highest !== voucher.epoch) return `epoch must be ${highest}`
      lines.set(voucher.model, post.voucher)
      for (const held of accepted) held.state = 'paid'
    }
    for (const { claimId } of post.refuses) {
      const held = self.claims.get(claimId)
      if (held?.state === 'unpaid') held.state = 'refused'
    }
    self.vouchers.push(post)
    return undefined
  }

  function state(channel: Bytes.Hex): unknown {
    const held = [...self.claims.values()].filter(({ state }) => state !== 'paid')
    return ProviderHttp.channelStateToJson({
      channel,
      deposit: 1_000_000_000n,
      paid: self.paid(),
      exposure: held.reduce((sum, { end }) => sum + end.receipt.claim.amount, 0n),
      credit: self.credit,
      vouchers: [...lines.values()],
    })
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://fake')
    const { method = 'GET' } = request
    const body = await read(request)
    const { paths } = ProviderHttp
    if (pathname === paths.offers) return json(response, { offers: [Offer.toJson(offer())] })
    if (pathname === paths.manifest(model)) return json(response, manifest)
    if (pathname.startsWith('/v1/batches/')) {
      const leaves = [...self.claims.keys()]
      return json(response, { first: '0', leaves })
    }
    if (pathname === paths.challenge) {
      challenge = Bytes.toHex(randomBytes(32))
      return json(response, { challenge })
    }
    if (pathname === paths.access) {
      const signed = ProviderHttp.readAccess(body, '$')
      const good =
        signed.access.challenge === challenge &&
        signed.access.payee === address &&
        Access.signer(signed, Network.eip712(network)) === options.signer
      if (!good) return error(response, 'access_denied', 401)
      const token = randomBytes(16).toString('hex')
      tokens.add(token)
      return json(response, { token, expires: Math.floor(Date.now() / 1000) + 3600 })
    }
    if (!tokens.has(request.headers.authorization?.replace('Bearer ', '') ?? ''))
      return error(response, 'access_denied', 401)
    if (pathname === paths.jobs && method === 'POST') {
      const post = ProviderHttp.readJobPost(body, '$')
      self.jobs.push(post)
      if (self.refusal) return error(response, self.refusal, 400)
      const id = Jobs.digest(post.job, Nonce.salts(post.nonce).request)
      return run(post, id, response)
    }
    const job = /^\/v1\/jobs\/(0x[0-9a-f]{64})$/.exec(pathname)?.[1]
    if (Bytes.isHex(job) && method === 'DELETE') {
      self.cancelled.push(job)
      const known = [...self.claims.values()].some(({ end }) => end.receipt.claim.request === job)
      if (!running.has(job) && !known) return error(response, 'not_found', 404)
      running.get(job)?.abort()
      return void response.writeHead(204).end()
    }
    if (pathname === paths.vouchers) {
      if (self.vouchersAway) return void request.socket.destroy()
      const post = ProviderHttp.readVoucherPost(body, '$')
      const problem = settle(post)
      if (problem) return error(response, 'voucher_refused', 409, problem)
      return json(response, state(post.voucher.voucher.channel))
    }
    const account = /^\/v1\/channels\/(0x[0-9a-f]{64})(\/unpaid)?$/.exec(pathname)
    if (account?.[2])
      return json(response, {
        claims: [...self.claims.values()]
          .filter(({ state, end }) => state === 'unpaid' && end.receipt.claim.channel === account[1])
          .slice(0, ProviderHttp.unpaidMax)
          .map(({ end }) => ProviderHttp.endToJson(end)),
      })
    if (Bytes.isHex(account?.[1])) return json(response, state(account[1]))
    return error(response, 'not_found', 404)
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return self
}

/** An end as the provider would have signed it with this claim. */
export function resign(
  end: ProviderHttp.End,
  change: Partial<Claim.Claim>,
  key: KeyObject,
): ProviderHttp.End {
  const claim = { ...end.receipt.claim, ...change }
  return { ...end, receipt: { ...end.receipt, claim, signature: signWith(key, Claim.encode(claim)) } }
}

/** The root of what the provider has claimed so far, as it would stand on chain. */
export function rootOf(provider: FakeProvider, epoch: bigint): Batch.BatchRoot {
  const leaves = [...provider.claims.keys()]
  return {
    keyId: provider.key.keyId,
    epoch,
    root: Batch.root(leaves),
    first: 0n,
    end: BigInt(leaves.length),
    postedAt: 1,
    dueAt: 2,
  }
}

export function signWith(key: KeyObject, message: Uint8Array): Bytes.Hex {
  return Bytes.toHex(P256.toLowS(sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' })))
}

export function pointOf(publicKey: KeyObject): Bytes.Hex {
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  return Bytes.toHex(Bytes.concat(Uint8Array.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')))
}

function logprob(text: string, i: number, job: Job.Job): Output.TokenLogprob {
  const one = { token: text, bytes: Bytes.toHex(Buffer.from(text)), logprob: -10 * (i + 1) }
  return { ...one, top: Array.from({ length: job.topLogprobs }, () => one) }
}

function hash(text: string): Bytes.Hex {
  return `0x${createHash('sha256').update(text).digest('hex')}`
}

async function read(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text === '' ? undefined : JSON.parse(text)
}

function send(response: ServerResponse, event: string, data: unknown): void {
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

function error(
  response: ServerResponse,
  code: Refusal.Code,
  status: number,
  message = `fake: ${code}`,
): void {
  response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(JSON.stringify({ error: { message, type: 'invalid_request_error', param: null, code } }))
}
