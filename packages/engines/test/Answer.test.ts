import { expect, test } from 'vitest'
import { Answer } from '../src/llama/Answer.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** Pushes pieces and returns the text each made visible, ended by a stop string or by end(). */
function run(stop: readonly string[], pieces: readonly (string | Uint8Array)[]): readonly string[] {
  const answer = new Answer(stop)
  const shown: string[] = []
  for (const piece of pieces) {
    const { text, stopped } = answer.push(typeof piece === 'string' ? bytes(piece) : piece)
    shown.push(text)
    if (stopped) return [...shown, '<stop>']
  }
  return [...shown, answer.end()]
}

test('text passes through', () => {
  expect(run([], ['one', ' two'])).toEqual(['one', ' two', ''])
})

test('a stop string is cut out wherever token borders fall', () => {
  expect(run(['END'], ['one E', 'N', 'D two'])).toEqual(['one ', '', '', '<stop>'])
  expect(run(['END'], ['one END two'])).toEqual(['one ', '<stop>'])
  expect(run(['END'], ['one EN', 'd', 'END'])).toEqual(['one ', 'ENd', '', '<stop>'])
})

test('what may become a stop string is held back, and given back', () => {
  expect(run(['END'], ['one EN'])).toEqual(['one ', 'EN'])
  expect(run(['aab'], ['a', 'a', 'a', 'b'])).toEqual(['', '', 'a', '', '<stop>'])
})

test('the stop string completed first wins, the longest of those completed together', () => {
  expect(run(['long stop', 'g s'], ['a long stop'])).toEqual(['a lon', '<stop>'])
  expect(run(['bc', 'abc'], ['xabc'])).toEqual(['x', '<stop>'])
})

test('the same characters give the same text however they are cut into tokens', () => {
  const text = 'x ab abc 😀 aba abab end'
  const stops = [['abab'], ['b', 'abc'], ['😀 a'], ['never'], ['aba', 'ab e']]
  for (const stop of stops) {
    const whole = run(stop, [text]).join('')
    for (let size = 1; size < 9; size += 1) {
      const all = bytes(text)
      const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, i) =>
        all.slice(i * size, (i + 1) * size),
      )
      expect(run(stop, pieces).join('')).toBe(whole)
    }
  }
})

test('a character spread over tokens is held back until it is whole; a broken one becomes U+FFFD', () => {
  const [first, second] = [bytes('😀').slice(0, 2), bytes('😀').slice(2)]
  expect(run([], ['a', first, second])).toEqual(['a', '', '😀', ''])
  expect(run([], ['a', first])).toEqual(['a', '', '\ufffd'])
  expect(run([], [first, 'b'])).toEqual(['', '\ufffdb', ''])
  expect(run([], ['\ufeffa'])).toEqual(['\ufeffa', ''])
})
