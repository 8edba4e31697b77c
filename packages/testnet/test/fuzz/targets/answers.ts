import { AuditBundle, Bytes } from '@counterfoil/protocol'
import { SavedAudits, type VerifyingFetchOptions, verifyingFetch } from '@counterfoil/sdk'
import fc from 'fast-check'
import * as Reply from '../../../../auditor/src/check/Reply.ts'
import * as Recheck from '../../../../auditor/src/Recheck.ts'
import { FakeGateway, network, nowMs } from '../../../../sdk/test/FakeGateway.ts'
import * as Binary from '../Binary.ts'
import { noun } from '../Decoder.ts'
import * as Json from '../Json.ts'
import { BrokenError, type Target, type Trial, trial } from '../Target.ts'
import * as Audited from './Audited.ts'

// What clients make of the answers of gateways, auditors and other people's APIs.

const question = {
  model: 'fake-model',
  messages: [{ role: 'user', content: 'What is the capital of Japan?' }],
  ...{ max_completion_tokens: 50, logprobs: true },
}
const nonce: Bytes.Hex = `0x${'17'.repeat(32)}`

/** What an honest gateway answers to the question, by path. */
type Recorded = Readonly<Record<'models' | 'answer' | 'transcript', Uint8Array>>
type Part = keyof Recorded

const typeOf = (part: Part, isStream: boolean) =>
  part === 'answer' && isStream ? 'text/event-stream' : 'application/json'

/** The SDK over a gateway that tampers with one of its answers: what is delivered as good is what was signed. */
function verifying(isStream: boolean): () => Promise<Trial> {
  return async () => {
    await using gateway = new FakeGateway()
    const baseURL = await gateway.listen()
    const found: Partial<Record<Part, Uint8Array>> = {}
    let id: string | null = null
    const options: VerifyingFetchOptions = {
      ...{ least: 'signed', network, evidence: gateway.evidence },
      ...{ now: () => nowMs, nonce: () => nonce },
    }
    const partOf = (url: string): Part =>
      url.endsWith('/models') ? 'models' : url.endsWith('/chat/completions') ? 'answer' : 'transcript'
    const ask = (send: typeof fetch) =>
      verifyingFetch({ ...options, fetch: send })(`${baseURL}/chat/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer key', 'content-type': 'application/json' },
        body: JSON.stringify({ ...question, stream: isStream }),
      })
    const first = await ask(async (input, init) => {
      const response = await fetch(input, init)
      const bytes = new Uint8Array(await response.arrayBuffer())
      const part = partOf(String(input instanceof Request ? input.url : input))
      found[part] = bytes
      id ??= response.headers.get('x-receipt-id')
      return new Response(bytes, { status: response.status, headers: response.headers })
    })
    const honest = await delivered(first, isStream)
    const { models, answer, transcript } = found
    if (honest === undefined || !models || !answer || !transcript)
      throw new BrokenError('the honest answer is not delivered')
    const recorded: Recorded = { models, answer, transcript }
    const json = (part: Part) => JSON.parse(Buffer.from(recorded[part]).toString()) as unknown
    const bytesOf = (value: unknown) => new Uint8Array(Buffer.from(Json.stringify(value)))
    const tampered = (part: Part): fc.Arbitrary<Uint8Array> => {
      const raw = Binary.mutated([recorded[part]])
      if (part === 'answer' && isStream) return fc.oneof(raw, events(recorded.answer))
      return fc.oneof(
        { arbitrary: Json.mutated([json(part)]).map(bytesOf), weight: 4 },
        { arbitrary: raw, weight: 1 },
      )
    }
    const input = fc.constantFrom<Part>('models', 'answer', 'answer', 'transcript').chain((part) =>
      fc.record({
        part: fc.constant(part),
        bytes: tampered(part),
        cuts: fc.array(fc.nat(4_000), { maxLength: 6 }),
        named: fc.constantFrom(id, id, id, null, `0x${'00'.repeat(32)}`, '', 'x'.repeat(5_000)),
        status: fc.constantFrom(200, 200, 200, 200, 200, 200, 404, 500, 204, 302),
      }),
    )
    return trial(input, async ({ part, bytes, cuts, named, status }) => {
      const response = await ask(async (from) => {
        const asked = partOf(String(from instanceof Request ? from.url : from))
        const headers = new Headers({ 'content-type': typeOf(asked, isStream) })
        if (asked === 'answer' && named !== null) headers.set('x-receipt-id', named)
        if (asked !== part) return new Response(Buffer.from(recorded[asked]), { headers })
        if (status === 204) return new Response(null, { status, headers })
        return new Response(streamOf(Binary.chunks(bytes, cuts)), { status, headers })
      })
      const said = await delivered(response, isStream)
      if (said === undefined) return 'refused'
      if (said !== honest) throw new BrokenError(`delivered as good: ${said}`)
      return 'accepted'
    })
  }
}

function streamOf(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  const left = chunks[Symbol.iterator]()
  return new ReadableStream({
    pull(controller) {
      const next = left.next()
      if (next.done) controller.close()
      else controller.enqueue(Uint8Array.from(next.value))
    },
  })
}

/** Events of a stream with the JSON of one of them changed, or events left out, doubled or swapped. */
function events(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const parts = Buffer.from(bytes).toString().split('\n\n').slice(0, -1)
  const values = parts.map((part) =>
    part.startsWith('data: {') ? (JSON.parse(part.slice(6)) as unknown) : undefined,
  )
  return fc
    .record({ at: fc.nat(parts.length - 1), to: fc.nat(parts.length - 1), how: fc.nat(5) })
    .chain(({ at, to, how }) => {
      const list = [...parts]
      const value = values[at]
      if (how < 3 && value !== undefined)
        return Json.mutated([value]).map((json) =>
          list.map((part, i) => (i === at ? `data: ${Json.stringify(json)}` : part)),
        )
      if (how === 3) return fc.constant(list.toSpliced(at, 1))
      if (how === 4) return fc.constant(list.toSpliced(to, 0, list[at] ?? ''))
      return fc.constant(list.with(at, list[to] ?? '').with(to, list[at] ?? ''))
    })
    .map((list) => new Uint8Array(Buffer.from(`${list.join('\n\n')}\n\n`)))
}

/** What a client is left with after a good end, in one text; undefined after an error. */
async function delivered(response: Response, isStream: boolean): Promise<string | undefined> {
  if (response.status !== 200) return undefined
  if (!isStream) return essence([JSON.parse(await response.text())])
  const chunks: unknown[] = []
  let isDone = false
  for (const block of (await response.text()).split(/\r\n\r\n|\n\n|\r\r/)) {
    const data = block
      .split(/\r\n|\n|\r/)
      .filter((line) => line.startsWith('data:'))
      .map((line) => line.slice(5).trimStart())
      .join('\n')
    if (data === '[DONE]') isDone = true
    else if (data !== '' && !isDone) chunks.push(JSON.parse(data))
  }
  return isDone && !chunks.some((one) => Object(one).error) ? essence(chunks) : undefined
}

/** Everything of an answer that means something to a client. */
function essence(documents: readonly unknown[]): string {
  const said = { content: '', finish: [] as unknown[], others: [] as unknown[] }
  for (const document of documents)
    for (const choice of Object(document).choices ?? []) {
      const { message, delta = message, finish_reason: finish, index } = Object(choice)
      const { content, tool_calls: tools, function_call: call, refusal } = Object(delta)
      said.content += typeof content === 'string' ? content : content ? JSON.stringify(content) : ''
      if (finish) said.finish.push(finish)
      for (const other of [tools, call, refusal]) if (other) said.others.push(other)
      if (index !== 0) said.others.push({ index })
    }
  return JSON.stringify(said)
}

const chat = {
  ...{ id: 'x', object: 'chat.completion', model: 'm' },
  choices: [
    {
      ...{ index: 0, message: { role: 'assistant', content: 'Tokyo.' }, finish_reason: 'stop' },
      logprobs: {
        content: [
          { token: 'To', bytes: [84, 111], logprob: -0.5, top_logprobs: [{ token: 'To', logprob: -0.5 }] },
        ],
      },
    },
  ],
  usage: { prompt_tokens: 3, completion_tokens: 1 },
}
const audits = {
  ...{ schema: 'counterfoil/audits/1', pages: [], calibration: Audited.bundle.calibration },
  stakes: [{ fromCommit: 0, stakes: [{ auditor: `0x${'aa'.repeat(20)}`, stake: 5 }] }],
  ...{ quantization: 'Q4_1', machinesMin: 2 },
}

export const answers: readonly Target[] = [
  { name: 'SDK, whole answer', weight: 4, open: verifying(false) },
  { name: 'SDK, streamed answer', weight: 4, open: verifying(true) },
  noun({
    name: 'saved audits',
    decode: SavedAudits.fromJson,
    encode: SavedAudits.toJson,
    examples: [audits],
    loose: { texts: ['quantization'] },
  }),
  {
    name: 'bundle for recheck',
    weight: 4,
    open() {
      const text = Bytes.fromText(JSON.stringify(AuditBundle.toJson(Audited.bundle)))
      return trial(Binary.mutated([text]), (bytes) => {
        try {
          Recheck.parse(Buffer.from(bytes).toString())
          return 'accepted'
        } catch (error) {
          if (error instanceof Recheck.RecheckError) return 'refused'
          throw error
        }
      })
    },
  },
  {
    name: "any API's reply to a check",
    weight: 20,
    open() {
      const type = fc.constantFrom('application/json', 'text/event-stream', '')
      const body = fc.oneof(
        Json.mutated([chat]).map((json) => Json.stringify(json)),
        Json.mutated([chat]).map((json) => `data: ${Json.stringify(json)}\n\ndata: [DONE]\n\n`),
        Binary.mutated([Bytes.fromText(JSON.stringify(chat))]).map((bytes) => Buffer.from(bytes).toString()),
      )
      return trial(fc.tuple(type, body), ([contentType, text]) =>
        Reply.read(contentType, text).type === 'reply' ? 'accepted' : 'refused',
      )
    },
  },
]
