import { Bytes, ProviderHttp, Refusal } from '@counterfoil/protocol'
import fc from 'fast-check'
import type { Pool } from 'undici'
import * as GatewayStream from '../../../../gateway/src/EventStream.ts'
import * as JobStream from '../../../../gateway/src/JobStream.ts'
import * as GatewayParams from '../../../../gateway/src/Params.ts'
import { ProviderError } from '../../../../gateway/src/ProviderError.ts'
import * as Example from '../../../../protocol/test/Example.ts'
import * as SdkStream from '../../../../sdk/src/EventStream.ts'
import * as Binary from '../Binary.ts'
import { BrokenError, type Target, trial } from '../Target.ts'

// Server-sent events from somebody who is not trusted, cut into chunks at any byte.

const end = ProviderHttp.endToJson({ receipt: Example.receipt, output: Example.output, trace: Example.trace })
const refusal = Refusal.toOpenAi(Refusal.of('queue_full', 'The queue is full.'))
const examples = [
  `event: delta\ndata: {"content":"Hi"}\n\nevent: delta\ndata: {"content":"日本 \u{1f600}"}\n\nevent: end\ndata: ${JSON.stringify(end)}\n\n`,
  `: comment\r\nevent: delta\r\ndata: {"content":\r\ndata: "two lines"}\r\n\r\nevent: error\r\ndata: ${JSON.stringify(refusal)}\r\n\r\n`,
  'data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"}}]}\r\rdata: [DONE]\n\n: receipt\n\ndata:x\rdata\n\n',
  'id: 7\nretry: 10\ndata\ndata:\ndata: a\n\n\n\n\nevent\n\ndata: unfinished',
].map(Bytes.fromText)

type Cut = { readonly bytes: Uint8Array; readonly cuts: readonly number[] }
const cuts = fc.oneof(
  { arbitrary: fc.array(fc.nat(4_000), { maxLength: 12 }), weight: 4 },
  { arbitrary: fc.constant(Array.from({ length: 4_000 }, (_, i) => i)), weight: 1 },
)
const inputs: fc.Arbitrary<Cut> = fc.record({
  bytes: fc.oneof(
    { arbitrary: Binary.mutated(examples), weight: 4 },
    { arbitrary: fc.constantFrom(...examples), weight: 1 },
    {
      arbitrary: fc
        .array(fc.constantFrom('\n', '\r', '\r\n', 'data:', 'event: x', ': c', 'a', 'é', '\u{1f600}'), {
          maxLength: 30,
        })
        .map((parts) => Bytes.fromText(parts.join(''))),
      weight: 2,
    },
  ),
  cuts,
})

export const streams: readonly Target[] = [
  {
    name: "gateway's reader of events",
    weight: 30,
    open: () =>
      trial(inputs, ({ bytes, cuts: at }) => {
        const read = (chunks: readonly Uint8Array[]) => {
          const events: (readonly [string, string])[] = []
          try {
            const feed = GatewayStream.parser(600, (event, data) => events.push([event, data]))
            for (const chunk of chunks) feed(chunk)
            return { events, error: undefined }
          } catch (error) {
            if (error instanceof GatewayStream.EventStreamError) return { events, error }
            throw error
          }
        }
        const [whole, cut] = [read([bytes]), read(Binary.chunks(bytes, at))]
        // Refused either way; how many events came before depends on where a chunk began.
        if (whole.error || cut.error) {
          if (!whole.error !== !cut.error)
            throw new BrokenError('whether it is refused depends on the chunks')
          return 'refused'
        }
        if (JSON.stringify(whole.events) !== JSON.stringify(cut.events))
          throw new BrokenError(`chunks change what is read: ${JSON.stringify([whole.events, cut.events])}`)
        if (isReadByStandard(bytes)) expectEvents(bytes, whole.events)
        return 'accepted'
      }),
  },
  {
    name: "gateway's reader of jobs",
    weight: 20,
    open: () =>
      trial(inputs, async ({ bytes, cuts: at }) => {
        const stream = await JobStream.open(
          feeding(Binary.chunks(bytes, at)),
          { method: 'POST', path: '/v1/jobs' },
          () => undefined,
          { endpoint: 'http://provider', limits: GatewayParams.limits, eventCharsMax: 65_536 },
        ).catch((error: unknown) => expectProviderError(error))
        if (!stream) return 'refused'
        try {
          while (await stream.next());
          return 'accepted'
        } catch (error) {
          expectProviderError(error)
          return 'refused'
        }
      }),
  },
  {
    name: "SDK's reader of events",
    weight: 30,
    open: () =>
      trial(inputs, async ({ bytes, cuts: at }) => {
        const [whole, cut] = [await readSdk([bytes]), await readSdk(Binary.chunks(bytes, at))]
        if (whole === undefined || cut === undefined) {
          if (whole !== cut) throw new BrokenError('whether it is refused depends on the chunks')
          return 'refused'
        }
        if (JSON.stringify(whole) !== JSON.stringify(cut))
          throw new BrokenError(`chunks change what is read: ${JSON.stringify([whole, cut])}`)
        return 'accepted'
      }),
  },
  {
    name: 'lines without end',
    weight: 0.02,
    // 34 MiB a case.
    cpuMsMax: 10_000,
    open: () =>
      trial(
        fc.record({
          start: fc.constantFrom('', 'data: ', ': ', 'event: ', 'x'),
          piece: fc.constantFrom('a', 'é', 'data: ', ':\n', 'data:\n', 'data: x\n', 'event:\n'),
        }),
        async ({ start, piece }) => {
          const chunk = Bytes.fromText(piece.repeat(65_536 / piece.length))
          let sent = 0
          const feed = GatewayStream.parser(1_000_000, () => {})
          try {
            feed(Bytes.fromText(start))
            for (; sent < 64; sent += 1) feed(chunk)
            throw new BrokenError('the gateway read 4 MiB of one event')
          } catch (error) {
            if (!(error instanceof GatewayStream.EventStreamError)) throw error
          }
          // A line or an event of 35 MiB; of short lines a few MiB, which it reads and drops one by one.
          const most = piece.endsWith('\n') && piece !== 'data: x\n' ? 32 : 560
          const events: unknown[] = []
          async function* chunks() {
            yield Bytes.fromText(start)
            for (let i = 0; i < most; i += 1) yield chunk
          }
          try {
            for await (const event of SdkStream.parse(chunks())) events.push(event)
            return 'accepted'
          } catch (error) {
            if (!(error instanceof RangeError)) throw error
            return 'refused'
          }
        },
      ),
  },
]

function expectProviderError(error: unknown): undefined {
  const isOwn = error instanceof ProviderError && error.kind === 'garbage'
  if (!isOwn && !(error instanceof Refusal.RefusedError)) throw error
}

/** A connection pool (undici's, as far as JobStream uses it) whose one answer is these chunks. */
function feeding(chunks: readonly Uint8Array[]): Pool {
  const pool = {
    dispatch(_: unknown, handler: Parameters<Pool['dispatch']>[1]) {
      const controller = {
        ...{ aborted: false, paused: false },
        pause() {
          controller.paused = true
        },
        resume() {
          controller.paused = false
          queueMicrotask(run)
        },
        abort() {
          controller.aborted = true
        },
      }
      let next = 0
      let isOver = false
      const send = handler as unknown as {
        onRequestStart(controller: unknown, context: unknown): void
        onResponseStart(controller: unknown, status: number, headers: unknown): void
        onResponseData(controller: unknown, chunk: Uint8Array): void
        onResponseEnd(controller: unknown, trailers: unknown): void
      }
      function run() {
        while (!controller.paused && !controller.aborted && next < chunks.length) {
          send.onResponseData(controller, Buffer.from(chunks[next] ?? []))
          next += 1
        }
        if (next < chunks.length || controller.aborted || isOver) return
        isOver = true
        send.onResponseEnd(controller, {})
      }
      queueMicrotask(() => {
        send.onRequestStart(controller, {})
        send.onResponseStart(controller, 200, { 'content-type': 'text/event-stream; charset=utf-8' })
        run()
      })
      return true
    },
  }
  return pool as unknown as Pool
}

async function readSdk(chunks: readonly Uint8Array[]): Promise<readonly SdkStream.Event[] | undefined> {
  const events: SdkStream.Event[] = []
  async function* given() {
    yield* chunks
  }
  try {
    for await (const event of SdkStream.parse(given())) events.push(event)
    return events
  } catch (error) {
    // TextDecoder's own error for bytes that are not UTF-8, and RangeError for what is too long.
    if (error instanceof RangeError || (error instanceof TypeError && 'code' in error)) return undefined
    throw error
  }
}

/**
 * Whether we read it as the standard does: to the standard a carriage return alone ends a line, a byte order mark is nothing, and
 * what is not UTF-8 is replaced. Providers of ours write none of these.
 */
function isReadByStandard(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString()
  return !/\r(?!\n)|\ufffd|^\ufeff/.test(text)
}

/** The events of the whole text as the standard tells them (WHATWG HTML, 9.2.6), read the plain way. */
function expectEvents(bytes: Uint8Array, found: readonly (readonly [string, string])[]): void {
  const lines = Buffer.from(bytes)
    .toString()
    .split(/\r\n|\n/)
  // What follows the last end of a line is no line yet.
  lines.pop()
  const events: (readonly [string, string])[] = []
  let name = ''
  let data: string[] = []
  for (const line of lines) {
    if (line === '') {
      if (data.length > 0) events.push([name || 'message', data.join('\n')])
      name = ''
      data = []
      continue
    }
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (line.startsWith(':')) continue
    if (field === 'data') data.push(value)
    if (field === 'event') name = value
  }
  if (JSON.stringify(events) !== JSON.stringify(found))
    throw new BrokenError(`the standard reads ${JSON.stringify(events)}, we read ${JSON.stringify(found)}`)
}
