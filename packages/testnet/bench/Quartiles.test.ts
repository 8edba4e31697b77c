import { expect, test } from 'vitest'
import * as Quartiles from './Quartiles.ts'

test('quartiles are those of R, type 7', () => {
  expect(Quartiles.of([7])).toEqual({ q1: 7, median: 7, q3: 7 })
  expect(Quartiles.of([4, 1, 3, 2])).toEqual({ q1: 1.75, median: 2.5, q3: 3.25 })
  expect(Quartiles.of([10, 1, 2, 3, 4])).toEqual({ q1: 2, median: 3, q3: 4 })
})

test('a ratio is taken within each round', () => {
  expect(Quartiles.ratio([2, 40, 6], [1, 10, 3])).toEqual({ q1: 2, median: 2, q3: 3 })
  expect(() => Quartiles.ratio([1], [1, 2])).toThrow('cannot be paired')
})

test('nothing and what is no number have no quartiles', () => {
  expect(() => Quartiles.of([])).toThrow(RangeError)
  expect(() => Quartiles.of([1, Number.NaN])).toThrow(RangeError)
})
