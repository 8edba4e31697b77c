import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Batch, Bytes, Claim, Offer, ProviderHttp, Refusal } from '@counterfoil/protocol'
import * as FakeAnswer from './FakeAnswer.ts'

// A provider without an engine: its HTTP API, and answers as long as the job allows, at once, under really signed claims.
// For the plain proxy it is also an OpenAI-like upstream with answers of the same text.

export type Options = {
  readonly seat: FakeAnswer.FakeSeat
  readonly manifest: unknown
  readonly channel: Bytes.Hex
  readonly deposit: bigint
  readonly epochSeconds: number
  /** Chain seconds now. */
  readonly seconds: () => number
}

/** Not listening yet. */
export function create(options: Options): Server {
  const { seat, channel, deposit, epochSeconds, seconds } = options
  const offerId = Offer.id(seat.signedOffer.offer)
  const unpaid = new Map<Bytes.Hex, ProviderHttp.End>()
  const vouchers = new Map<Bytes.Hex, ProviderHttp.VoucherPost['voucher']>()
  let sequence = 0n
  let paid = 0n

  const state = (): ProviderHttp.ChannelState => ({
    ...{ channel, deposit, paid, credit: deposit },
    exposure: [...unpaid.values()].reduce((sum, { receipt }) => sum + receipt.claim.amount, 0n),
    vouchers: [...vouchers.values()],
  })

  function takeVoucher({ voucher, accepts }: ProviderHttp.VoucherPost): void {
    vouchers.set(voucher.voucher.model, voucher)
    for (const id of accepts) {
      paid += unpaid.get(id)?.receipt.claim.amount ?? 0n
      unpaid.delete(id)
    }
  }

  async function answerJob(post: ProviderHttp.JobPost, response: ServerResponse): Promise<void> {
    if (post.offer !== offerId) throw new RangeError(`job under offer ${post.offer}, mine is ${offerId}`)
    const epoch = Batch.epochAt(seconds(), epochSeconds)
    const end = FakeAnswer.end(seat, post, { sequence, epoch })
    sequence += 1n
    unpaid.set(Claim.id(end.receipt.claim), end)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const deltas = FakeAnswer.texts(post.job.maxTokens).map((content) => event('delta', { content }))
    await write(response, deltas, event('end', ProviderHttp.endToJson(end)))
  }

  const paths = ProviderHttp.paths
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? ''
    const body: unknown = request.method === 'POST' ? JSON.parse(await text(request)) : undefined
    if (path === paths.jobs) return answerJob(body as ProviderHttp.JobPost, response)
    if (path === '/v1/chat/completions') return answerPlainly(body as PlainRequest, response)
    if (path === paths.offers) return json(response, { offers: [Offer.toJson(seat.signedOffer)] })
    if (path === paths.manifest(seat.signedOffer.offer.model)) return json(response, options.manifest)
    if (path === paths.challenge)
      return json(response, { challenge: Bytes.toHex(new Uint8Array(randomBytes(32))) })
    if (path === paths.access)
      return json(response, { token: 'fake', expires: Math.floor(Date.now() / 1000) + 3600 })
    if (path === paths.vouchers) {
      takeVoucher(ProviderHttp.readVoucherPost(body, '$'))
      return json(response, ProviderHttp.channelStateToJson(state()))
    }
    if (path === paths.channel(channel)) return json(response, ProviderHttp.channelStateToJson(state()))
    if (path === paths.unpaid(channel)) {
      const oldest = [...unpaid.values()].slice(0, ProviderHttp.unpaidMax)
      return json(response, { claims: oldest.map(ProviderHttp.endToJson) })
    }
    // Every answer has ended before its job could be cancelled, so there is never one to cancel.
    json(response, Refusal.toOpenAi(Refusal.of('not_found', `There is nothing at ${path}.`)), 404)
  }

  return createServer({ keepAliveTimeout: 65_000, noDelay: true }, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
      response.destroy()
    })
  })
}

/** What the plain proxy forwards. */
export type PlainRequest = { readonly max_completion_tokens: number; readonly stream?: boolean }

async function answerPlainly(
  { max_completion_tokens: count, stream }: PlainRequest,
  response: ServerResponse,
): Promise<void> {
  const words = FakeAnswer.texts(count)
  const head = {
    id: `chatcmpl-${'0'.repeat(64)}`,
    created: 1_767_225_600,
    model: 'fake',
    system_fingerprint: Bytes.zero32,
  }
  if (stream !== true)
    return json(response, {
      ...head,
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: words.join(''), refusal: null },
          logprobs: null,
          finish_reason: 'length',
        },
      ],
      usage: { prompt_tokens: 16, completion_tokens: count, total_tokens: 16 + count },
    })
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const chunk = (delta: unknown, finish: string | null) =>
    `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] })}\n\n`
  await write(
    response,
    words.map((content) => chunk({ content }, null)),
    `${chunk({}, 'length')}data: [DONE]\n\n`,
  )
}

/** Each token as a piece of its own, as an engine yields them, but without the wait. */
async function write(response: ServerResponse, pieces: readonly string[], last: string): Promise<void> {
  for (const piece of pieces) {
    response.write(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  response.end(last)
}

function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

function json(response: ServerResponse, value: unknown, status = 200): void {
  const body = JSON.stringify(value)
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    .end(body)
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
