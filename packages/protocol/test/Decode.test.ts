import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bytes, Decode, Finish, Network, Refusal, Usage } from '../src/index.ts'
import * as Words from '../src/Words.ts'
import { read } from './vectors/read.ts'

const at = '$.x'
const refused = (code: Decode.Code, message: string) =>
  expect.objectContaining({ name: 'DecodeError', code, at, message })

describe('Decode', () => {
  it.each<[string, Decode.Reader<unknown>, unknown, Decode.Code, string]>([
    ['hex', Decode.hex(2), '0x0', 'hex', '$.x must be 0x and 4 lower-case hexadecimal digits; got "0x0"'],
    [
      'hex',
      Decode.hex(2),
      '0X0000',
      'hex',
      '$.x must be 0x and 4 lower-case hexadecimal digits; got "0X0000"',
    ],
    ['hex', Decode.hex(1), 7, 'hex', '$.x must be 0x and 2 lower-case hexadecimal digits; got 7'],
    ['hexUpTo', Decode.hexUpTo(1), '0x0000', 'too-long', '$.x must have at most 4 characters; got 6'],
    ['hexUpTo', Decode.hexUpTo(1), '0x000', 'too-long', '$.x must have at most 4 characters; got 5'],
    [
      'hexUpTo',
      Decode.hexUpTo(9),
      '0x0',
      'hex',
      '$.x must be 0x and an even number of lower-case hexadecimal digits; got "0x0"',
    ],
    ['integer', Decode.integer(1, 9), '1', 'type', '$.x must be a number; got "1"'],
    ['integer', Decode.integer(1, 9), 0, 'range', '$.x must be an integer from 1 to 9; got 0'],
    ['integer', Decode.integer(1, 9), 10, 'range', '$.x must be an integer from 1 to 9; got 10'],
    ['integer', Decode.integer(1, 9), 1.5, 'range', '$.x must be an integer from 1 to 9; got 1.5'],
    ['integer', Decode.integer(-9, 9), -0, 'range', '$.x must be an integer from -9 to 9; got -0'],
    [
      'integer',
      Decode.integer(0, Number.MAX_VALUE),
      2 ** 53,
      'range',
      `$.x must be an integer from 0 to ${Number.MAX_VALUE}; got 9007199254740992`,
    ],
    ['finite', Decode.finite(0, 1), Number.NaN, 'range', '$.x must be from 0 to 1; got NaN'],
    ['finite', Decode.finite(0, 1), -0, 'range', '$.x must be from 0 to 1; got -0'],
    ['finite', Decode.finite(0, 1), true, 'type', '$.x must be a number; got true'],
    ['decimal', Decode.decimal(8), 1, 'type', '$.x must be a decimal string; got 1'],
    ['decimal', Decode.decimal(8), '256', 'range', '$.x must fit in 8 bits; got "256"'],
    ['decimal', Decode.decimal(8), '00', 'range', '$.x must be digits without leading zeros; got "00"'],
    ['decimal', Decode.decimal(8), '', 'range', '$.x must be digits without leading zeros; got ""'],
    ['decimal', Decode.decimal(8), '1\n', 'range', '$.x must be digits without leading zeros; got "1\\n"'],
    ['decimal', Decode.decimal(8), '1'.repeat(9), 'too-long', '$.x must have at most 4 digits; got 9'],
    ['text', Decode.text(3), 7, 'type', '$.x must be a string; got 7'],
    ['text', Decode.text(3), 'aaaa', 'too-long', '$.x must have at most 3 bytes in UTF-8; got 4'],
    ['text', Decode.text(3), '日本', 'too-long', '$.x must have at most 3 bytes in UTF-8; got 6'],
    ['text', Decode.text(9), 'a\ud800', 'unicode', '$.x must not hold lone surrogates; got "a\\ud800"'],
    ['boolean', Decode.boolean, 0, 'type', '$.x must be true or false; got 0'],
    ['literal', Decode.literal('a', 'b'), 'c', 'range', '$.x must be one of "a", "b"; got "c"'],
    ['array', Decode.array(Decode.boolean, 1), {}, 'type', '$.x must be an array; got an object'],
    [
      'array',
      Decode.array(Decode.boolean, 1),
      [true, true],
      'too-many',
      '$.x must have at most 1 items; got 2',
    ],
    ['object', Decode.object({}), [], 'type', '$.x must be an object; got an array'],
    ['object', Decode.object({}), undefined, 'type', '$.x must be an object; got nothing'],
    ['object', Decode.object({}), 'x'.repeat(200), 'type', `$.x must be an object; got "${'x'.repeat(79)}…`],
  ])('%s refuses and says what, where and which value (%#)', (_, reader, value, code, message) => {
    expect(() => reader(value, at)).toThrow(refused(code, message))
  })

  it('takes what is at the limits', () => {
    expect(Decode.integer(1, 9)(9, at)).toBe(9)
    expect(Decode.integer(1, 9)(1, at)).toBe(1)
    expect(Decode.finite(0, 1)(1, at)).toBe(1)
    expect(Decode.decimal(8)('255', at)).toBe(255n)
    expect(Decode.decimal(64)('18446744073709551615', at)).toBe(2n ** 64n - 1n)
    expect(Decode.decimal(128)(`${2n ** 128n - 1n}`, at)).toBe(2n ** 128n - 1n)
    expect(Decode.text(6)('日本', at)).toBe('日本')
    expect(Decode.hexUpTo(1)('0x', at)).toBe('0x')
    expect(Decode.hexUpTo(1)('0xff', at)).toBe('0xff')
    expect(Decode.array(Decode.boolean, 1)([true], at)).toEqual([true])
  })

  const reader = Decode.object({ a: Decode.boolean }, { b: Decode.boolean })
  it('reads objects with all of the required, any of the optional and no other fields', () => {
    expect(reader({ a: true }, '$')).toEqual({ a: true })
    expect(reader({ b: false, a: true }, '$')).toEqual({ a: true, b: false })
    expect(() => reader({ b: true }, '$')).toThrow('$.a is missing; got nothing')
    expect(() => reader({ a: true, b: undefined }, '$')).toThrow('$.b must be true or false; got nothing')
    expect(() => reader({ a: true, c: 1n }, '$')).toThrow('$.c is not a known field; got 1')
    expect(() => reader(JSON.parse('{"a":true,"__proto__":{}}'), '$')).toThrow(
      '$.__proto__ is not a known field',
    )
    expect(() => reader(Object.create({ a: true }), '$')).toThrow('$.a is missing')
  })

  it('points into arrays', () => {
    expect(() => Decode.array(reader, 9)([{ a: true }, { a: 1 }], '$.list')).toThrow(
      expect.objectContaining({ at: '$.list[1].a' }),
    )
  })

  it('shows what a nested decoder refused at its place in the whole, and lets other errors pass', () => {
    const inner = Decode.nested((value) => reader(value, '$'))
    expect(inner({ a: true }, at)).toEqual({ a: true })
    expect(() => inner({ a: 7 }, at)).toThrow(
      expect.objectContaining({
        code: 'type',
        at: '$.x.a',
        value: 7,
        message: '$.x.a must be true or false; got 7',
      }),
    )
    const broken = Decode.nested(() => {
      throw new RangeError('ours')
    })
    expect(() => broken(1, at)).toThrow(new RangeError('ours'))
  })
})

describe('Bytes', () => {
  it('round-trips hexadecimal and refuses any other spelling', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(Bytes.toHex(bytes)).toBe(`0x${Buffer.from(bytes).toString('hex')}`)
        expect(Bytes.fromHex(Bytes.toHex(bytes))).toEqual(bytes)
      }),
    )
    for (const bad of ['', 'ff', '0xf', '0xFF', '0Xff', '0xfg', ' 0xff', '0xff\n'])
      expect(() => Bytes.fromHex(bad), bad).toThrow(
        expect.objectContaining({
          name: 'Bytes.HexError',
          value: bad,
          message: `expected lower-case hexadecimal of whole bytes after 0x, got ${JSON.stringify(bad)}`,
        }),
      )
  })

  it('tells hexadecimal of a length', () => {
    expect([Bytes.isHex('0xff', 1), Bytes.isHex('0xff', 2), Bytes.isHex('0xff'), Bytes.isHex(7)]).toEqual([
      true,
      false,
      true,
      false,
    ])
  })

  it('round-trips unsigned integers of a size', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), (value) => {
        const bytes = Bytes.fromBigInt(value, 16)
        expect(Buffer.from(bytes).toString('hex')).toBe(value.toString(16).padStart(32, '0'))
        expect(Bytes.toBigInt(bytes)).toBe(value)
      }),
    )
    expect(() => Bytes.fromBigInt(-1n, 1)).toThrow(new RangeError('-1 does not fit in 1 unsigned bytes'))
    expect(() => Bytes.fromBigInt(256n, 1)).toThrow(new RangeError('256 does not fit in 1 unsigned bytes'))
  })

  it('has the UTF-8 of well-formed text and its length, and none of other text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(Buffer.from(Bytes.fromText(text))).toEqual(Buffer.from(text))
        expect(Bytes.textLength(text)).toBe(Buffer.byteLength(text))
      }),
    )
    for (const lone of ['\ud800', 'a\udc00', '\udc00\ud800']) {
      expect(Bytes.isWellFormed(lone)).toBe(false)
      expect(() => Bytes.fromText(lone)).toThrow('text holds a lone surrogate and has no UTF-8 form')
    }
    expect(['\x7f', '\x80', '\u07ff', '\u0800', '\uffff', '\u{10000}'].map(Bytes.textLength)).toEqual([
      1, 2, 2, 3, 3, 4,
    ])
  })

  it('compares', () => {
    const bytes = Uint8Array.of(1, 2)
    expect(Bytes.equal(bytes, Uint8Array.of(1, 2))).toBe(true)
    for (const other of [[1], [1, 3], [0, 2], [1, 2, 0]])
      expect(Bytes.equal(bytes, Uint8Array.from(other))).toBe(false)
  })
})

describe('Words', () => {
  const word = Uint8Array.from({ length: 32 }, (_, i) => i)
  it('refuses what is too long for a word, missing or not zero', () => {
    expect(() => Words.fromHex(`0x${'00'.repeat(33)}`)).toThrow(/is longer than a word/)
    expect(() => Words.low(undefined, 20, at)).toThrow(refused('length', '$.x is missing; got nothing'))
    expect(() => Words.low(word, 20, at)).toThrow(
      expect.objectContaining({ code: 'padding', value: Bytes.toHex(word) }),
    )
    expect(() => Words.u64s(word, 3, at)).toThrow(expect.objectContaining({ code: 'padding' }))
    expect(Words.u64s(word, 4, at)[3]).toBe(0x18191a1b1c1d1e1fn)
    expect(() => Words.number(10n, 9, at)).toThrow(refused('range', '$.x must be at most 9; got 10'))
    expect(Words.number(9n, 9, at)).toBe(9)
  })
})

describe('small nouns', () => {
  it('finishes by their number in a claim', () => {
    expect(Finish.names.map(Finish.toNumber)).toEqual([0, 1, 2, 3, 4])
    expect(Finish.names).toEqual(['stop', 'length', 'tool_calls', 'content_filter', 'aborted'])
  })

  it('compares usage field by field', () => {
    const usage = { promptTokens: 1, cachedTokens: 2, outputTokens: 3 }
    expect(Usage.equal(usage, { ...usage })).toBe(true)
    for (const field of ['promptTokens', 'cachedTokens', 'outputTokens'])
      expect(Usage.equal(usage, { ...usage, [field]: 9 })).toBe(false)
  })

  type Valid = { readonly network: unknown; readonly domain: Bytes.Hex; readonly eip712: unknown }
  it.each(read<Valid>('network', 'valid'))('derives the domains of $name', (one) => {
    const network = Network.fromJson(one.network)
    expect(Network.domain(network)).toBe(one.domain)
    expect(Network.eip712(network)).toEqual(one.eip712)
  })

  it("speaks OpenAI's shape: all four keys, each code with its type", () => {
    const refusal = Refusal.of('queue_full', 'The queue is full.')
    expect(Refusal.toOpenAi(refusal)).toEqual({
      error: { message: 'The queue is full.', type: 'server_error', param: null, code: 'queue_full' },
    })
    const error = new Refusal.RefusedError(refusal)
    expect([error.name, error.message, error.refusal]).toEqual([
      'RefusedError',
      'The queue is full.',
      refusal,
    ])
    expect([Refusal.isCode('queue_full'), Refusal.isCode('toString'), Refusal.isCode(7)]).toEqual([
      true,
      false,
      false,
    ])
  })
})
