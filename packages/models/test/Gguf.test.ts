import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Gguf, GgufManifestError, manifestOf, tokenizerDigest } from '../src/index.ts'
import * as Params from '../src/Params.ts'
import * as Sample from './Sample.ts'

type Typed = { readonly type: number; readonly value: Gguf.Value; readonly of?: number }

const u32 = (value: number) => {
  const out = Buffer.alloc(4)
  out.writeUInt32LE(value)
  return out
}
const u64 = (value: bigint | number) => {
  const out = Buffer.alloc(8)
  out.writeBigUInt64LE(BigInt(value))
  return out
}
const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])

function body({ type, value, of = 0 }: Typed): Buffer {
  const out = Buffer.alloc(8)
  if (type === 4) return u32(Number(value))
  if (type === 5) return out.writeInt32LE(Number(value)) === 4 ? out.subarray(0, 4) : out
  if (type === 6) return out.writeFloatLE(Number(value)) === 4 ? out.subarray(0, 4) : out
  if (type === 7) return Buffer.of(value === true ? 1 : 0)
  if (type === 8) return text(String(value))
  if (type === 9) {
    const values = value as readonly Gguf.Value[]
    return Buffer.concat([
      u32(of),
      u64(values.length),
      ...values.map((one) => body({ type: of, value: one })),
    ])
  }
  if (type === 10) return u64(value as bigint | number)
  if (type === 12) return out.writeDoubleLE(Number(value)) === 8 ? out : out
  throw new Error(`no encoder for type ${type}`)
}

function encode(entries: readonly (readonly [string, Typed])[], { version = 3, tensors = 0 } = {}): Buffer {
  return Buffer.concat([
    Buffer.from('GGUF'),
    u32(version),
    u64(tensors),
    u64(entries.length),
    ...entries.flatMap(([key, typed]) => [text(key), u32(typed.type), body(typed)]),
  ])
}

const utf8 = fc.string({ unit: 'grapheme' }).filter((value) => value.isWellFormed())
const scalar: fc.Arbitrary<Typed> = fc.oneof(
  fc.nat().map((value) => ({ type: 4, value })),
  fc.integer().map((value) => ({ type: 5, value })),
  fc.float({ noNaN: true }).map((value) => ({ type: 6, value })),
  fc.boolean().map((value) => ({ type: 7, value })),
  utf8.map((value) => ({ type: 8, value })),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }).map((value) => ({ type: 10, value })),
  fc.double({ noNaN: true }).map((value) => ({ type: 12, value })),
)
const array: fc.Arbitrary<Typed> = fc.oneof(
  fc.array(utf8).map((value) => ({ type: 9, of: 8, value })),
  fc.array(fc.float({ noNaN: true })).map((value) => ({ type: 9, of: 6, value })),
)
const header = fc.uniqueArray(fc.tuple(utf8, fc.oneof(scalar, array)), {
  selector: ([key]) => key,
  maxLength: 8,
})

function reasonOf(bytes: Uint8Array): Gguf.Reason | undefined {
  try {
    Gguf.decode(bytes)
    return undefined
  } catch (error) {
    if (error instanceof Gguf.GgufError) return error.reason
    throw error
  }
}

describe('Gguf', () => {
  test('reads what the format says, whatever follows the header', () => {
    fc.assert(
      fc.property(header, fc.uint8Array(), (entries, tensors) => {
        const { metadata } = Gguf.decode(Buffer.concat([encode(entries), tensors]))
        expect([...metadata]).toEqual(entries.map(([key, { value }]) => [key, value]))
      }),
    )
  })

  test('every shorter header is truncated, every changed one is read or refused with a reason', () => {
    fc.assert(
      fc.property(header, fc.nat(), fc.nat(255), (entries, place, byte) => {
        const bytes = encode(entries)
        expect(reasonOf(bytes.subarray(0, place % bytes.length))).toBe('truncated')
        bytes[place % bytes.length] = byte
        reasonOf(bytes)
      }),
    )
  })

  test.each<[Gguf.Reason, Buffer]>([
    ['magic', Buffer.from('GGML and more bytes than a header needs')],
    ['version', encode([], { version: 1 })],
    ['limit', encode([], { tensors: Params.ggufTensorsMax + 1 })],
    ['limit', Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(Params.ggufKeysMax + 1)])],
    ['limit', Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(1), u64(2n ** 63n)])],
    [
      'duplicate',
      encode([
        ['a', { type: 4, value: 1 }],
        ['a', { type: 4, value: 2 }],
      ]),
    ],
    ['unicode', Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(1), u64(1), Buffer.of(0xff)])],
    ['type', Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(1), text('a'), u32(13)])],
    ['type', Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(1), text('a'), u32(7), Buffer.of(2)])],
    // An array of nothing, of a type that is none.
    [
      'type',
      Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(1), text('a'), u32(9), u32(13), u64(0)]),
    ],
    [
      'limit',
      Buffer.concat([
        Buffer.from('GGUF'),
        u32(3),
        u64(0),
        u64(1),
        text('a'),
        u32(9),
        ...Array.from({ length: Params.ggufDepthMax + 1 }, () => [u32(9), u64(1)]).flat(),
      ]),
    ],
  ])('refuses %s', (reason, bytes) => {
    expect(reasonOf(bytes)).toBe(reason)
  })

  test('reads a header longer than the first read of a file', async () => {
    await using folder = await Sample.folder()
    const path = join(folder.dir, 'long.gguf')
    const value = Array.from({ length: 40 }, (_, i) => String(i % 10).repeat(50_000))
    await writeFile(path, encode([['long', { type: 9, of: 8, value }]]))
    expect((await Gguf.read(path)).metadata.get('long')).toEqual(value)
    await writeFile(path, encode([['long', { type: 9, of: 8, value }]]).subarray(0, -1))
    await expect(Gguf.read(path)).rejects.toMatchObject({ reason: 'truncated' })
  })
})

const tokenizer = [
  ['tokenizer.ggml.model', { type: 8, value: 'gpt2' }],
  ['tokenizer.ggml.tokens', { type: 9, of: 8, value: ['a', 'é'] }],
  ['tokenizer.ggml.bos_token_id', { type: 4, value: 1 }],
] as const satisfies (readonly [string, Typed])[]
const complete = [
  ['general.architecture', { type: 8, value: 'llama' }],
  ['general.file_type', { type: 4, value: 3 }],
  ['llama.context_length', { type: 4, value: 8192 }],
  ['tokenizer.chat_template', { type: 8, value: 'abc' }],
  ...tokenizer,
] as const satisfies (readonly [string, Typed])[]
const digestOf = (entries: readonly (readonly [string, Typed])[]) =>
  tokenizerDigest(Gguf.decode(encode(entries)).metadata)

describe('manifestOf', () => {
  test('describes a GGUF file', async () => {
    await using folder = await Sample.folder()
    const path = join(folder.dir, 'tiny.gguf')
    const bytes = encode(complete)
    await writeFile(path, bytes)
    expect(await manifestOf(path, { name: 'tiny', version: '1', license: 'MIT' })).toEqual({
      ...Sample.manifest({ 'tiny.gguf': bytes }, 'tiny'),
      license: 'MIT',
      // FIPS 180-2, appendix B.1: the SHA-256 of "abc"
      chatTemplate: '0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      // printf '{"tokenizer.ggml.bos_token_id":1,"tokenizer.ggml.model":"gpt2","tokenizer.ggml.tokens":["a","é"]}' | sha256sum
      tokenizer: '0x204d5fd70e67af65614e772582e6cabb5d106a093de9bc8252d3d5f7bbb00a67',
    })
  })

  test('refuses a file that lacks what a manifest says', async () => {
    await using folder = await Sample.folder()
    const path = join(folder.dir, 'tiny.gguf')
    for (const [key] of complete.slice(0, 3)) {
      await writeFile(path, encode(complete.filter(([other]) => other !== key)))
      const failure = await manifestOf(path, { name: 'tiny', version: '1', license: 'MIT' }).catch(
        (error) => error,
      )
      expect(failure).toBeInstanceOf(GgufManifestError)
      expect(failure.key).toBe(key)
    }
  })

  test('the tokenizer digest knows every tokenizer key, and neither their order nor the chat template', () => {
    const digest = digestOf(complete)
    expect(digestOf(complete.toReversed())).toBe(digest)
    expect(digestOf(tokenizer)).toBe(digest)
    expect(digestOf([...complete, ['tokenizer.ggml.pre', { type: 8, value: 'smollm' }]])).not.toBe(digest)
    for (const [key] of tokenizer)
      expect(digestOf(complete.filter(([other]) => other !== key))).not.toBe(digest)
    expect(digestOf([])).toBe(`0x${'00'.repeat(32)}`)
  })
})
