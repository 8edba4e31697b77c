import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bytes, Canonical } from '../src/index.ts'
import * as Jcs from './reference/Jcs.ts'
import { filesUnder, publishedFolder, read } from './vectors/read.ts'

type Valid = { readonly json: string; readonly canonical: string; readonly bytes: Bytes.Hex }
type Invalid = { readonly text: string; readonly error: string }

describe('Canonical', () => {
  it.each(read<Valid>('canonical-json', 'valid'))('valid: $name', ({ json, canonical, bytes }) => {
    const value: unknown = JSON.parse(json)
    expect(Canonical.encode(value)).toBe(canonical)
    expect(Buffer.from(canonical).toString('hex')).toBe(bytes.slice(2))
    expect(Canonical.encode(Canonical.decode(canonical))).toBe(canonical)
  })

  it.each(read<Invalid>('canonical-json', 'invalid'))('invalid: $name', ({ text, error }) => {
    expect(() => Canonical.decode(text)).toThrow(
      expect.objectContaining({ name: 'DecodeError', code: error, at: '$', value: text }),
    )
  })

  const published = publishedFolder('jcs')
  it.runIf(published)('agrees with the published cases', () => {
    const inputs = filesUnder(new URL('input/', published))
    expect(inputs.length).toBeGreaterThan(0)
    for (const input of inputs) {
      const expected = readFileSync(input.replace('/jcs/input/', '/jcs/output/'), 'utf8')
      expect(Canonical.encode(JSON.parse(readFileSync(input, 'utf8'))), input).toBe(expected)
    }
  })

  it('agrees with the plain reading of the RFC, and decodes what it encodes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }), (value) => {
        const text = Canonical.encode(value)
        expect(text).toBe(Jcs.encode(value))
        expect(Canonical.encode(Canonical.decode(text))).toBe(text)
      }),
    )
  })

  it('takes one text per value: whatever decodes is its own canonical text', () => {
    const insert = fc.constantFrom(' ', '\n', '0', '-', ',', '"', '{', '}', '[', ']', '\\', 'e')
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(), insert, fc.boolean(), (value, at, character, replace) => {
        const text = Canonical.encode(value)
        const place = at % (text.length + 1)
        const changed = text.slice(0, place) + character + text.slice(place + (replace ? 1 : 0))
        let decoded: unknown
        try {
          decoded = Canonical.decode(changed)
        } catch (error) {
          expect(error).toMatchObject({ name: 'DecodeError' })
          return
        }
        expect(Canonical.encode(decoded)).toBe(changed)
      }),
    )
  })

  it.each([
    ['undefined', undefined],
    ['a function', () => 1],
    ['NaN', Number.NaN],
    ['infinity', [Number.POSITIVE_INFINITY]],
    ['a big integer', { a: 1n }],
    ['half a character', '\udfff'],
    ['half a character in a key', { '\ud800': 1 }],
  ])('has no text for %s', (_, value) => {
    expect(() => Canonical.encode(value)).toThrow()
  })

  it('leaves out what is undefined', () => {
    expect(Canonical.encode({ a: undefined, b: 1 })).toBe('{"b":1}')
  })
})
