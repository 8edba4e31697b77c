import { Audit, Bytes, ChatRequest, History } from '@counterfoil/protocol'
import { describe, expect, test } from 'vitest'
import * as Random from '../../protocol/test/sampled/Random.ts'
import { compose } from '../src/Composer.ts'
import { themes } from '../src/Themes.ts'

const model: Bytes.Hex = `0x${'4d'.repeat(32)}`

const random = Random.create(1).uniform
const all = Array.from({ length: 3_000 }, () => compose(random, { model, contextTokens: 2_048 }))
const share = (of: (one: (typeof all)[number]) => boolean) => all.filter(of).length / all.length

describe('the mix', () => {
  test('each is an audit, and the body is the request of its job', () => {
    for (const { audit, body } of all) {
      expect(Audit.decode(audit)).toEqual(audit)
      const derived = ChatRequest.toJob({ model: 'any', ...body }, { model, nonce: Bytes.zero32 })
      if (!derived.ok) return expect.fail(derived.refusal.message)
      const { samplerSeed: _, ...job } = derived.job
      expect(job).toEqual(audit.job)
    }
  })

  test('hardly a prompt comes twice', () => {
    const prompts = all.map(({ audit }) => JSON.stringify(audit.job.messages))
    expect(new Set(prompts).size).toBeGreaterThan(0.95 * prompts.length)
  })

  test('languages have the shares that they are given', () => {
    expect(themes.reduce((sum, { weight }) => sum + weight, 0)).toBe(100)
    for (const { language, weight } of themes)
      expect(share(({ audit }) => audit.language === language)).toBeCloseTo(weight / 100, 1)
  })

  test('lengths, turns and parameters are spread as the page says', () => {
    const bytes = all
      .map(({ audit }) => audit.job.messages.reduce((sum, one) => sum + Bytes.textLength(one.content), 0))
      .sort((a, b) => a - b)
    expect(bytes[Math.floor(bytes.length / 2)]).toBeGreaterThan(60)
    expect(bytes[Math.floor(bytes.length / 2)]).toBeLessThan(300)
    expect(bytes.at(-1)).toBeGreaterThan(1_500)
    expect(share(({ audit }) => audit.job.messages.length === 1)).toBeCloseTo(0.6, 1)
    expect(share(({ body }) => body.stream === true)).toBeCloseTo(0.6, 1)
    expect(share(({ audit }) => History.samplingOf(audit.job) === 'greedy')).toBeCloseTo(0.15, 1)
    expect(share(({ audit }) => audit.job.topP < 1)).toBeCloseTo(0.15, 1)
    expect(share(({ body }) => body.temperature === undefined)).toBeCloseTo(0.4, 1)
    for (const { audit } of all) {
      expect(audit.job.maxTokens).toBeGreaterThanOrEqual(16)
      expect(audit.job.maxTokens).toBeLessThanOrEqual(256)
    }
  })

  test('conversations take turns and end with the user', () => {
    for (const { audit } of all)
      audit.job.messages.forEach(({ role, content }, i) => {
        expect(role).toBe(i % 2 === 0 ? 'user' : 'assistant')
        expect(content).not.toMatch(/\{[abn]\}/)
        expect(content).not.toBe('')
      })
    expect(all.every(({ audit }) => audit.job.messages.length % 2 === 1)).toBe(true)
  })

  test('no prompt comes near the context, in whatever script', () => {
    for (const { audit } of all) {
      const bytes = audit.job.messages.reduce((sum, one) => sum + Bytes.textLength(one.content), 0)
      const latin = !['zh', 'ru'].includes(audit.language)
      expect(bytes).toBeLessThan(latin ? 2_048 * 1.8 : 2_048)
    }
  })

  test('a small context has short prompts', () => {
    const small = Random.create(2).uniform
    for (let i = 0; i < 200; i += 1) {
      const { audit } = compose(small, { model, contextTokens: 256 })
      expect(audit.job.messages.reduce((sum, one) => sum + one.content.length, 0)).toBeLessThan(700)
    }
  })
})
