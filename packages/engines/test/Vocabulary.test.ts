import { expect, test } from 'vitest'
import * as Vocabulary from '../src/llama/Vocabulary.ts'

const text = (entry: Vocabulary.Entry) => new TextDecoder().decode(Vocabulary.toBytes(entry))

test('reads each kind of token', () => {
  expect(text({ text: 'ĠhiĊ', reading: 'bytes' })).toBe(' hi\n')
  expect(Vocabulary.toBytes({ text: 'ðŁĺ', reading: 'bytes' })).toEqual(Uint8Array.of(0xf0, 0x9f, 0x98))
  expect(text({ text: '▁hi▁you', reading: 'spaces' })).toBe(' hi you')
  expect(Vocabulary.toBytes({ text: '<0x0A>', reading: 'byte' })).toEqual(Uint8Array.of(10))
  expect(text({ text: '<tool Ġ>', reading: 'verbatim' })).toBe('<tool Ġ>')
  expect(text({ text: '<|im_end|>', reading: 'hidden' })).toBe('')
})

test('refuses what its reading does not cover', () => {
  expect(() => Vocabulary.toBytes({ text: 'a b', reading: 'bytes' })).toThrow(Vocabulary.VocabularyError)
  expect(() => Vocabulary.toBytes({ text: '▁', reading: 'bytes' })).toThrow(Vocabulary.VocabularyError)
  expect(() => Vocabulary.toBytes({ text: '<0x0a>', reading: 'byte' })).toThrow(Vocabulary.VocabularyError)
})
