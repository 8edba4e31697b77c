import type { Audit, Claim, Offer, Output } from '@counterfoil/protocol'
import { describe, expect, test } from 'vitest'
import * as Reading from '../src/Reading.ts'

const pieces = ['Hel', 'lo', ' wor', 'ld', '!', '', '\xf0\x9f', '\x98\x80', ' END']
const end = 5
const vocabulary: Reading.Vocabulary = {
  ends: [end],
  bytes: (token) => Uint8Array.from(pieces[token] ?? '', (character) => character.charCodeAt(0)),
}
const read = (tokens: readonly number[], stop: readonly string[] = []) =>
  Reading.of(tokens, { vocabulary, stop })

describe('reading tokens', () => {
  test('joins bytes over token borders and ends at the end token', () => {
    expect(read([0, 1, 2, 3])).toEqual({ text: 'Hello world', endedAt: undefined })
    expect(read([0, 1, end])).toEqual({ text: 'Hello', endedAt: 2 })
    expect(read([6, 7])).toEqual({ text: '😀', endedAt: undefined })
    expect(read([6])).toEqual({ text: '�', endedAt: undefined })
    expect(read([end, 0])).toEqual({ text: '', endedAt: 0 })
  })

  test('cuts a stop string, the one that is completed first, and of two completed at once the longer', () => {
    expect(read([0, 1, 2, 3], ['o w'])).toEqual({ text: 'Hell', endedAt: 2 })
    expect(read([0, 1, 2, 3], ['world', 'lo'])).toEqual({ text: 'Hel', endedAt: 1 })
    expect(read([0, 1], ['lo', 'ello'])).toEqual({ text: 'H', endedAt: 1 })
  })
})

describe('faults', () => {
  const honest = {
    promptTokens: 12,
    finish: 'length' as Claim.Claim['finish'],
    text: 'Hello world',
    tokens: [0, 1, 2, 3],
    maxTokens: 4,
    stop: [] as readonly string[],
    context: 2_048,
    outputMax: 1_024,
  }
  const faultOf = (change: Partial<typeof honest>) => {
    const is = { ...honest, ...change }
    return Reading.fault(read(is.tokens, is.stop), {
      promptTokens: is.promptTokens,
      tokens: is.tokens.length,
      claim: { usage: { promptTokens: 12 }, finish: is.finish } as Claim.Claim,
      output: { choices: [{ message: { content: is.text } }] } as unknown as Output.Output,
      audit: { job: { maxTokens: is.maxTokens } } as Audit.Audit,
      offer: { limits: { contextTokens: is.context, outputTokens: is.outputMax } } as Offer.Offer,
    })
  }

  test('an honest answer has none, whichever way it ends', () => {
    expect(faultOf({})).toBeUndefined()
    expect(faultOf({ tokens: [0, 1, end], text: 'Hello', finish: 'stop' })).toBeUndefined()
    expect(faultOf({ stop: ['ld'], text: 'Hello wor', finish: 'stop' })).toBeUndefined()
    expect(faultOf({ maxTokens: 100, context: 16 })).toBeUndefined()
    expect(faultOf({ maxTokens: 100, outputMax: 4 })).toBeUndefined()
    expect(faultOf({ finish: 'aborted', text: 'Hello wo', maxTokens: 100 })).toBeUndefined()
  })

  test('another prompt, another text, another end', () => {
    expect(faultOf({ promptTokens: 13 })).toBe('prompt-tokens')
    expect(faultOf({ text: 'Hello World' })).toBe('text')
    expect(faultOf({ text: 'Hello wor' })).toBe('text')
    expect(faultOf({ finish: 'aborted', text: 'Help' })).toBe('text')
    // Cut short without a reason, called ended without an end, going on behind an end, an end that is not told.
    expect(faultOf({ maxTokens: 5 })).toBe('finish')
    expect(faultOf({ finish: 'stop' })).toBe('finish')
    expect(faultOf({ tokens: [0, 1, end, 2], text: 'Hello', finish: 'stop' })).toBe('finish')
    expect(faultOf({ stop: ['lo'], text: 'Hello world' })).toBe('finish')
    expect(faultOf({ tokens: [0, 1, end], text: 'Hello', maxTokens: 3 })).toBe('finish')
  })
})
