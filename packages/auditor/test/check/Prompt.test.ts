import { expect, test } from 'vitest'
import * as Random from '../../../protocol/test/sampled/Random.ts'
import * as Prompt from '../../src/check/Prompt.ts'
import { languages, names } from '../../src/check/Topics.ts'

test('no two prompts are alike, and no place stays unfilled', () => {
  const random = Random.create(8).uniform
  const prompts = Array.from({ length: 20_000 }, () => Prompt.compose(random))
  expect(new Set(prompts.map(({ text }) => text)).size).toBe(prompts.length)
  for (const { text, messages } of prompts) {
    expect(text).not.toMatch(/[{}]|undefined/)
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user'])
  }
})

test('every language is asked', () => {
  const random = Random.create(8).uniform
  const systems = new Set(Array.from({ length: 2_000 }, () => Prompt.compose(random).messages[0]?.content))
  expect([...systems].sort()).toEqual(languages.flatMap((one) => one.systems).sort())
})

test('each lead names a person, a time and a date: that is what makes prompts differ', () => {
  for (const lead of languages.flatMap(({ leads }) => leads))
    expect(lead).toMatch(/(?=.*\{name\})(?=.*\{time\})(?=.*\{date\})/)
  expect(new Set(names).size).toBe(names.length)
})

test('a random number outside its range is an error and no prompt', () => {
  expect(() => Prompt.compose(() => 1)).toThrow(RangeError)
})
