import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Source, SourceError } from '../src/index.ts'
import * as Sample from './Sample.ts'

/** A place that offers `bytes` at `uri` and nothing at `missing`. */
export type Place = {
  readonly uri: string
  readonly missing: string
  readonly ports?: Source.Ports
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

export type Adapter = {
  readonly offer: (bytes: Uint8Array, dir: string) => Promise<Place>
  /** Whether it begins where it is asked to, or at 0. */
  readonly resumes: boolean
}

/** What every source does, whatever it is. */
export function conforms(name: string, { offer, resumes }: Adapter): void {
  describe(`source ${name}`, () => {
    const bytes = Sample.bytes(3_000_001)

    test.each([0, 1, 1_500_000, bytes.length - 1])(
      'sends the bytes in order, asked from byte %i',
      async (offset) => {
        await using folder = await Sample.folder()
        await using place = await offer(bytes, folder.dir)
        const chunks = await collect(Source.parse(place.uri, place.ports), folder.dir, {
          size: bytes.length,
          offset,
        })
        expect(chunks[0]?.offset).toBe(resumes ? offset : 0)
        let at = chunks[0]?.offset ?? 0
        for (const chunk of chunks) {
          expect(chunk.offset).toBe(at)
          at += chunk.bytes.length
        }
        expect(
          Buffer.concat(chunks.map((chunk) => chunk.bytes)).equals(bytes.subarray(resumes ? offset : 0)),
        ).toBe(true)
      },
    )

    test('refuses what is not there, saying so', async () => {
      await using folder = await Sample.folder()
      await using place = await offer(bytes, folder.dir)
      const failure = await collect(Source.parse(place.missing, place.ports), folder.dir, { size: 10 }).catch(
        (e) => e,
      )
      expect(failure).toBeInstanceOf(SourceError)
      expect(failure.reason).toBe('refused')
      expect(failure.message).not.toBe('')
    })

    test('stops with the reason of the signal, before it began and while bytes come', async () => {
      await using folder = await Sample.folder()
      await using place = await offer(bytes, folder.dir)
      const source = Source.parse(place.uri, place.ports)
      const reason = new Error('no longer wanted')
      const size = bytes.length
      await expect(collect(source, folder.dir, { size, signal: AbortSignal.abort(reason) })).rejects.toBe(
        reason,
      )
      const controller = new AbortController()
      const stopped = collect(source, folder.dir, { size, signal: controller.signal }, () =>
        controller.abort(reason),
      )
      await expect(stopped).rejects.toBe(reason)
    })

    test('lets go when its reader has had enough', async () => {
      await using folder = await Sample.folder()
      await using place = await offer(bytes, folder.dir)
      const source = Source.parse(place.uri, place.ports)
      for await (const chunk of source.read(await request(folder.dir, { size: bytes.length }))) {
        expect(chunk.bytes.length).toBeGreaterThan(0)
        break
      }
    })
  })
}

type Wish = { readonly size: number; readonly offset?: number; readonly signal?: AbortSignal }

async function request(dir: string, { size, offset = 0, signal = new AbortController().signal }: Wish) {
  const scratchDir = join(dir, 'scratch')
  await rm(scratchDir, { recursive: true, force: true })
  await mkdir(scratchDir)
  return { size, offset, scratchDir, signal, onFetch: () => {} }
}

async function collect(
  source: Source.Source,
  dir: string,
  wish: Wish,
  onChunk = () => {},
): Promise<Source.Chunk[]> {
  const chunks: Source.Chunk[] = []
  for await (const chunk of source.read(await request(dir, wish))) {
    chunks.push({ offset: chunk.offset, bytes: Uint8Array.from(chunk.bytes) })
    onChunk()
  }
  return chunks
}
