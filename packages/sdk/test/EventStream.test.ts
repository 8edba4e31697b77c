import { expect, test } from 'vitest'
import * as EventStream from '../src/EventStream.ts'

const text =
  ': hello\r\n\r\ndata: {"a":1}\n\ndata:two\r\ndata: lines\r\n\r\ndata:also\rtwo: not data\rdata: lines\r\revent: x\nid: 7\ndata: Tōkyō 東京\n\ndata: last'

const events = [
  { comment: ' hello' },
  { data: '{"a":1}' },
  { data: 'two\nlines' },
  { data: 'also\nlines' },
  { data: 'Tōkyō 東京' },
  { data: 'last' },
]

async function parse(chunks: readonly Uint8Array[]): Promise<EventStream.Event[]> {
  async function* source() {
    yield* chunks
  }
  const found: EventStream.Event[] = []
  for await (const event of EventStream.parse(source())) found.push(event)
  return found
}

test('events are the same wherever the bytes are cut', async () => {
  const bytes = new TextEncoder().encode(text)
  for (let size = 1; size <= bytes.length; size += 1) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    )
    expect(await parse(chunks)).toEqual(events)
  }
})

test('a long line in small chunks is not split again at each', async () => {
  const letter = new TextEncoder().encode('a'.repeat(64))
  const begin = new TextEncoder().encode('data: ')
  const chunks = [begin, ...Array.from({ length: 200_000 }, () => letter)]
  const [event] = await parse(chunks)
  expect(event && 'data' in event && event.data.length).toBe(64 * 200_000)
})

test('bytes that are no UTF-8 are refused', async () => {
  await expect(parse([Uint8Array.of(0x64, 0xff, 0x0a)])).rejects.toThrow(TypeError)
  await expect(parse([new TextEncoder().encode('data: é').subarray(0, 7)])).rejects.toThrow(TypeError)
})

test('an endless line is refused', async () => {
  const mebibyte = new Uint8Array(1_048_576).fill(0x61)
  await expect(parse(Array.from({ length: 33 }, () => mebibyte))).rejects.toThrow(RangeError)
})

test('what was parsed is written so that it parses the same', async () => {
  const single = events.filter((event) => !('data' in event && event.data.includes('\n')))
  expect(await parse([new TextEncoder().encode(single.map(EventStream.encode).join(''))])).toEqual(single)
})
