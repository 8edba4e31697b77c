import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  Batch,
  Bytes,
  ChatRequest,
  Claim,
  type Finish,
  Job,
  Key,
  Network,
  Nonce,
  Offer,
  Output,
  P256,
  Receipt,
  Trace,
  Transcript,
} from '@counterfoil/protocol'
import type { Evidence, ReadEvidence } from '../src/index.ts'

export const digest = (name: string): Bytes.Hex => `0x${createHash('sha256').update(name).digest('hex')}`
export const modelId = digest('the model')
export const otherModelId = digest('another model')
/** Where the fake's clock stands, in milliseconds. */
export const nowMs = 1_700_000_000_000

export const network: Network.Network = Network.fromJson({
  name: 'fake',
  chainId: 31337,
  rpc: 'http://127.0.0.1:9',
  epochSeconds: 5,
  contracts: {
    providers: `0x${'11'.repeat(20)}`,
    models: `0x${'22'.repeat(20)}`,
    channels: `0x${'33'.repeat(20)}`,
    commitments: `0x${'44'.repeat(20)}`,
    audits: `0x${'66'.repeat(20)}`,
    stable: `0x${'55'.repeat(20)}`,
  },
})
const provider: Bytes.Hex = `0x${'aa'.repeat(20)}`

/** How the fake may lie; each hook gets the honest thing and returns what the fake does instead. */
export type Lies = {
  readonly body?: (body: Record<string, unknown>) => Record<string, unknown>
  readonly nonce?: (nonce: Bytes.Hex) => Bytes.Hex
  readonly model?: Bytes.Hex
  readonly forwarded?: (text: string) => string
  readonly chunk?: (chunk: Record<string, unknown>) => unknown
  readonly usage?: (usage: Record<string, unknown>) => Record<string, unknown>
  readonly finish?: string
  readonly claim?: (claim: Claim.Claim) => Claim.Claim
  readonly transcript?: (transcript: Transcript.Transcript) => unknown
  readonly signer?: KeyObject
  /** Serves the receipt under the caller's id too, and says so. */
  readonly hideId?: boolean
  readonly withholdReceipt?: boolean
  readonly withholdDone?: boolean
  readonly errorAfter?: number
  readonly neverEnds?: boolean
  readonly neverGivesReceipt?: boolean
}

/** A gateway and its one provider in one: signs real receipts over a made-up answer. */
export class FakeGateway {
  readonly lies: Lies
  readonly bodies: Record<string, unknown>[] = []
  readonly paths: string[] = []
  /** Policies that came with questions. */
  readonly policies: (string | string[] | undefined)[] = []
  readonly answerText: string
  committedAfterReads = Number.POSITIVE_INFINITY
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  readonly #transcripts = new Map<string, Transcript.Transcript>()
  readonly #server = createServer((request, response) => {
    this.#handle(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  #reads = 0
  closedEarly = 0

  constructor(lies: Lies = {}, answerText = 'The capital of Japan is Tōkyō. 東京') {
    this.lies = lies
    this.answerText = answerText
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  get key(): Key.ReceiptKey {
    const { x, y } = this.#keys.publicKey.export({ format: 'jwk' })
    const point = Buffer.concat([
      Buffer.of(4),
      Buffer.from(x ?? '', 'base64url'),
      Buffer.from(y ?? '', 'base64url'),
    ])
    const publicKey = Bytes.toHex(point)
    return {
      domain: Network.domain(network),
      keyId: Key.id(publicKey),
      provider,
      publicKey,
      notBefore: 0,
      notAfter: 4_000_000_000,
    }
  }

  /** The roots that are posted by now: one for each answer, each alone in its epoch. */
  roots(): readonly Batch.BatchRoot[] {
    if (this.#reads < this.committedAfterReads) return []
    return [...this.#transcripts.values()].map(({ receipt: { claim } }) => ({
      keyId: claim.keyId,
      epoch: claim.epoch,
      root: Batch.root([Claim.id(claim)]),
      first: claim.sequence,
      end: claim.sequence + 1n,
      postedAt: Batch.deadline(claim.epoch, network.epochSeconds),
      dueAt: Batch.deadline(claim.epoch, network.epochSeconds),
    }))
  }

  /** What the chain would say. */
  readonly evidence: ReadEvidence = async (): Promise<Evidence> => ({ keys: [this.key], roots: this.roots() })

  transcript(id: string): Transcript.Transcript | undefined {
    return this.#transcripts.get(id)
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.paths.push(`${request.method} ${request.url}`)
    const json = (status: number, value: unknown, headers: Record<string, string> = {}) =>
      response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify(value))
    const refuse = (status: number, code: string) =>
      json(status, {
        error: { message: `refused: ${code}`, type: 'invalid_request_error', param: null, code },
      })
    if (request.headers.authorization !== 'Bearer key') return void refuse(401, 'invalid_api_key')
    if (request.url === '/v1/models')
      return void json(200, {
        object: 'list',
        data: [
          {
            id: 'fake-model',
            object: 'model',
            created: 0,
            owned_by: 'x',
            counterfoil: { model: modelId, offers: 2 },
          },
          { id: 'somebody-elses', object: 'model', created: 0, owned_by: 'x' },
        ],
      })
    if (request.url === '/v1/network') return void json(200, network)
    const id = request.url?.match(/^\/v1\/receipts\/(0x[0-9a-f]{64})$/)?.[1]
    if (id && this.lies.neverGivesReceipt) return
    if (id) {
      const transcript = this.#transcripts.get(id)
      if (!transcript || this.lies.withholdReceipt) return void refuse(404, 'receipt_not_found')
      this.#reads += 1
      const committed = this.#reads >= this.committedAfterReads
      const evidence = committed ? [{ kind: 'inclusion' as const, path: [] }] : []
      const full = { ...transcript, receipt: { ...transcript.receipt, evidence } }
      return void json(200, this.lies.transcript?.(full) ?? Transcript.toJson(full))
    }
    if (request.url !== '/v1/chat/completions') return void refuse(404, 'not_found')
    this.policies.push(request.headers['x-counterfoil-policy'])
    let text = ''
    for await (const chunk of request) text += chunk
    const nonce = request.headers['x-counterfoil-nonce']
    if (typeof nonce !== 'string' || !/^[0-9a-f]{64}$/.test(nonce)) return void refuse(400, 'invalid_nonce')
    await this.#complete(JSON.parse(text), `0x${nonce}`, response, json, refuse)
  }

  async #complete(
    sent: Record<string, unknown>,
    sentNonce: Bytes.Hex,
    response: ServerResponse,
    json: (status: number, value: unknown, headers?: Record<string, string>) => unknown,
    refuse: (status: number, code: string) => unknown,
  ): Promise<void> {
    const { lies } = this
    this.bodies.push(sent)
    const body = lies.body?.(sent) ?? sent
    const nonce = lies.nonce?.(sentNonce) ?? sentNonce
    const model = lies.model ?? modelId
    const derived = ChatRequest.toJob(body, { model, nonce })
    const own = ChatRequest.toJob(sent, { model: modelId, nonce: sentNonce })
    if (!derived.ok || !own.ok) return void refuse(400, 'invalid_value')
    const transcript = this.#sign(derived.job, nonce)
    const ownId = Job.digest(own.job, Nonce.salts(sentNonce).request)
    const id = lies.hideId ? ownId : Transcript.id(transcript)
    this.#transcripts.set(id, transcript)
    const forwarded = lies.forwarded?.(this.answerText) ?? this.answerText
    const { promptTokens, outputTokens, cachedTokens } = transcript.output.usage
    const honestUsage = {
      prompt_tokens: promptTokens,
      completion_tokens: outputTokens,
      total_tokens: promptTokens + outputTokens,
      prompt_tokens_details: { cached_tokens: cachedTokens },
    }
    const usage = lies.usage?.(honestUsage) ?? honestUsage
    const finish = lies.finish ?? 'stop'
    const logprobs = derived.job.logprobs
      ? {
          content: transcript.output.choices[0]?.logprobs?.map((token) => ({
            token: token.token,
            bytes: [...Bytes.fromHex(token.bytes)],
            logprob: token.logprob / 1024,
            top_logprobs: [],
          })),
          refusal: null,
        }
      : null
    const base = {
      id: `chatcmpl-${id.slice(2)}`,
      created: 1,
      model: body.model,
      system_fingerprint: transcript.receipt.claim.runtime,
    }
    if (!derived.transport.stream) {
      const message = { role: 'assistant', content: forwarded, refusal: null }
      const whole = {
        ...base,
        object: 'chat.completion',
        choices: [{ index: 0, message, logprobs, finish_reason: finish }],
        usage,
      }
      return void json(200, lies.chunk?.(whole) ?? whole, { 'x-receipt-id': id })
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-receipt-id': id })
    response.on('close', () => {
      if (!response.writableFinished) this.closedEarly += 1
    })
    const pieces = forwarded.match(/.{1,7}/gsu) ?? []
    const write = (delta: unknown, last = false) => {
      const chunk = {
        ...base,
        object: 'chat.completion.chunk',
        choices: [
          {
            index: 0,
            delta,
            finish_reason: last ? finish : null,
            ...(last ? { logprobs } : { logprobs: null }),
          },
        ],
      }
      // Cut inside lines and characters, as networks do.
      const bytes = Buffer.from(`data: ${JSON.stringify(lies.chunk?.(chunk) ?? chunk)}\n\n`)
      response.write(bytes.subarray(0, 30))
      response.write(bytes.subarray(30))
    }
    write({ role: 'assistant', content: '' })
    for (const [i, piece] of pieces.entries()) {
      if (lies.errorAfter === i)
        return void response.end(
          'data: {"error":{"message":"the provider left","type":"server_error","param":null,"code":"provider_failed"}}\n\n',
        )
      write({ content: piece })
    }
    if (lies.neverEnds) return
    write({}, true)
    if (derived.transport.includeUsage)
      response.write(
        `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices: [], usage })}\n\n`,
      )
    response.write(`: receipt ${JSON.stringify(Receipt.toJson(transcript.receipt))}\n\n`)
    response.end(lies.withholdDone ? '' : 'data: [DONE]\n\n')
  }

  #sign(job: Job.Job, nonce: Bytes.Hex): Transcript.Transcript {
    const salts = Nonce.salts(nonce)
    const words = this.answerText.split(/(?<= )/)
    const usage = { promptTokens: 12, cachedTokens: 0, outputTokens: words.length }
    const finish: Finish.Finish = 'stop'
    const logprobs = words.map((token, i) => ({
      token,
      bytes: Bytes.toHex(Bytes.fromText(token)),
      logprob: -17 * (i + 1),
      top: [],
    }))
    const message = { role: 'assistant' as const, content: this.answerText }
    const output = Output.decode({
      schema: 'counterfoil/output/1',
      choices: [{ message, finish, ...(job.logprobs && { logprobs }) }],
      usage,
    })
    const trace = Trace.encode([words.map((_, i) => ({ id: i, logprob: -17 * (i + 1) }))])
    const { domain, keyId } = this.key
    const runtime = digest('runtime')
    const terms: Offer.Offer = {
      domain,
      provider,
      keyId,
      model: job.model,
      runtime,
      prices: { prompt: 100_000n, cached: 50_000n, output: 400_000n },
      limits: { contextTokens: 2048, outputTokens: 2048 },
      validity: { notBefore: 0, notAfter: 4_000_000_000 },
      flags: { trace: true },
    }
    const honest: Claim.Claim = {
      domain,
      provider,
      keyId,
      sequence: BigInt(this.#transcripts.size),
      epoch: Batch.epochAt(nowMs / 1000, network.epochSeconds) + BigInt(this.#transcripts.size),
      model: job.model,
      runtime,
      offer: Offer.id(terms),
      request: Job.digest(job, salts.request),
      answer: Output.digest(output, salts.answer),
      trace: Trace.root(trace, salts.trace),
      usage,
      finish,
      channel: digest('channel'),
      amount: Offer.charge(terms.prices, usage),
      time: { started: nowMs - 300, firstToken: nowMs - 200, ended: nowMs - 100 },
      parents: Bytes.zero32,
      evidence: Bytes.zero32,
    }
    const claim = this.lies.claim?.(honest) ?? honest
    return {
      receipt: { claim, signature: this.#signature(Claim.encode(claim)), evidence: [] },
      job,
      output,
      salts,
      trace,
      offer: { offer: terms, signature: this.#signature(Offer.message(terms)) },
      nonceFrom: 'caller',
    }
  }

  #signature(message: Uint8Array): Bytes.Hex {
    const key = this.lies.signer ?? this.#keys.privateKey
    return Bytes.toHex(P256.toLowS(sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' })))
  }
}
