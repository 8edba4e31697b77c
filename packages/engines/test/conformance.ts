import { Runtime, Sampler } from '@counterfoil/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Engine } from '../src/index.ts'
import { type Answer, answer, job, seed } from './Jobs.ts'

/** What of an engine a test needs to be small or wide. */
export type Shape = { readonly contextLength: number; readonly sequences: number }

/**
 * How far prefill (`score`) may be from decode (`generate`) on one machine, in nats. The mean of honest pairs was 0.06 to
 * 0.09 over 690 tokens; an exact runtime states 0 for both.
 */
export type Tolerance = { readonly mean: number; readonly each: number }

const story = 'Write a short story about a lighthouse keeper and a storm.'

/** What every adapter promises, on a small chat model that knows the capitals of large countries. */
export function conformance(
  name: string,
  create: (shape: Shape) => Promise<Engine.Engine>,
  tolerance: Tolerance,
): void {
  describe(`engine ${name}: one sequence`, { timeout: 300_000 }, () => {
    const contextLength = 512
    let engine: Engine.Engine
    beforeAll(async () => {
      engine = await create({ contextLength, sequences: 1 })
    })
    afterAll(() => engine[Symbol.asyncDispose]())

    test('describes itself in a runtime that decodes', () => {
      expect(Runtime.decode(engine.runtime)).toEqual(engine.runtime)
      expect(engine.runtime.numerics.contextLength).toBe(contextLength)
      expect(engine.runtime.sampler).toBe(Sampler.id)
      expect(engine.limits).toEqual({ contextLength, sequences: 1 })
    })

    test('answers a question at T = 0 and ends with an empty end-of-sequence step', async () => {
      const { text, finish, steps } = await answer(engine, job('What is the capital of Japan?'))
      expect(text).toContain('Tokyo')
      expect(finish).toBe('stop')
      expect(steps.at(-1)).toMatchObject({ text: '', bytes: new Uint8Array() })
      expect(steps.slice(0, -1).every((step) => step.finish === undefined && step.choice === 0)).toBe(true)
    })

    test('the same seed gives the same tokens and log-probabilities, another seed another text', async () => {
      const asked = job(story, { temperature: 1, samplerSeed: seed(7), maxTokens: 32 })
      const [first, again] = [await answer(engine, asked), await answer(engine, asked)]
      const other = await answer(engine, { ...asked, samplerSeed: seed(8) })
      expect(again.steps).toEqual(first.steps)
      expect(other.text).not.toBe(first.text)
    })

    test('at T = 0 it takes the highest logit that score() sees', async () => {
      const given = await answer(engine, job(story, { maxTokens: 48 }))
      const scored = await scoreOf(engine, given)
      const gaps = scored.map((one) => (one.top[0]?.logit ?? Number.NaN) - one.logit)
      expect(mean(gaps)).toBeLessThanOrEqual(tolerance.mean)
      expect(Math.max(...gaps)).toBeLessThanOrEqual(tolerance.each)
    })

    test('at T = 1 log-probabilities are those of score(), and tokens those that the sampler draws from its logits', async () => {
      const asked = job(story, { temperature: 1, samplerSeed: seed(3), maxTokens: 96 })
      const given = await answer(engine, asked)
      const scored = await scoreOf(engine, given)
      const errors = scored.map((one, i) => Math.abs(one.logprob - (given.steps[i]?.logprob ?? Number.NaN)))
      expect(mean(errors)).toBeLessThanOrEqual(tolerance.mean)
      expect(Math.max(...errors)).toBeLessThanOrEqual(tolerance.each)
      const draw = { seed: asked.samplerSeed, choice: 0 }
      const margins = scored.map(({ top, logit, token }, position) => {
        const chosen = Sampler.choose({ candidates: top, temperature: 1, topP: 1, ...draw, position })
        const best = top.find((one) => one.id === chosen)?.logit ?? Number.NaN
        const noise = (id: number) => Sampler.noise(id, { ...draw, position })
        return best + noise(chosen) - (logit + noise(token))
      })
      expect(margins.filter((margin) => margin === 0).length / margins.length).toBeGreaterThan(0.85)
      expect(mean(margins)).toBeLessThanOrEqual(tolerance.mean)
      // The same answer under another seed is no draw of this sampler: the check above can fail.
      const foreign = scored.filter(({ top, token }, position) => {
        const other = { ...draw, seed: seed(4), position }
        return Sampler.choose({ candidates: top, temperature: 1, topP: 1, ...other }) !== token
      })
      expect(foreign.length / scored.length).toBeGreaterThan(0.3)
    })

    test('score() gives proper log-probabilities, highest logits first', async () => {
      const { prepared, tokens } = await answer(engine, job('What is the capital of Japan?'))
      const scored = await engine.score({ prompt: prepared.promptTokens, tokens, top: 128 })
      expect(scored.map((one) => one.token)).toEqual(tokens)
      expect(tokens.length).toBeGreaterThan(4)
      for (const { top, logit, logprob } of scored) {
        const logits = top.map((one) => one.logit)
        expect(logits).toEqual([...logits].sort((a, b) => b - a))
        expect(top.length).toBe(128)
        const mass = top.reduce((sum, one) => sum + Math.exp(one.logit - logit + logprob), 0)
        expect(mass).toBeGreaterThan(0.3)
        expect(mass).toBeLessThan(1.0001)
      }
    })

    test('log-probabilities of alternatives: best first, the chosen token among them at T = 0', async () => {
      const asked = job('What is the capital of Japan?', { logprobs: true, topLogprobs: 5 })
      const { steps } = await answer(engine, asked)
      for (const { top = [], token, logprob } of steps) {
        expect(top.length).toBe(5)
        expect(top[0]).toMatchObject({ token, logprob })
        const values = top.map((one) => one.logprob)
        expect(values).toEqual([...values].sort((a, b) => b - a))
      }
      expect((await answer(engine, job('Hi', { maxTokens: 1 }))).steps[0]?.top).toBeUndefined()
    })

    test('a stop string across token borders is cut out, and nothing is sampled after it', async () => {
      const whole = await answer(engine, job('What is the capital of Japan?'))
      const from = whole.text.indexOf('Tokyo') - 4
      const stop = whole.text.slice(from, from + 6)
      const cut = await answer(engine, job('What is the capital of Japan?', { stop: ['never said', stop] }))
      expect(cut.text).toBe(whole.text.slice(0, from))
      expect(cut.finish).toBe('stop')
      const completing = whole.steps.findIndex((_, i) => shown(whole, i).includes(stop))
      expect(cut.tokens).toEqual(whole.tokens.slice(0, completing + 1))
      expect(cut.steps.slice(1).some((step) => step.text === '')).toBe(true)
    })

    test('a stop string that only begins is given back', async () => {
      const whole = await answer(engine, job('What is the capital of Japan?'))
      const ending = whole.text.slice(-4)
      const kept = await answer(engine, job('What is the capital of Japan?', { stop: [`${ending}!!`] }))
      expect(kept.text).toBe(whole.text)
      expect(kept.tokens).toEqual(whole.tokens)
    })

    test('maxTokens ends an answer with finish "length"', async () => {
      const { steps, finish } = await answer(engine, job(story, { maxTokens: 5 }))
      expect(steps.length).toBe(5)
      expect(finish).toBe('length')
    })

    test('the context ends an answer with finish "length"; without room for one token it is refused by its numbers', async () => {
      const long = async (words: number) =>
        engine.prepare(job(' a'.repeat(words), { maxTokens: 64 }), { startedMs: 0 })
      const frame = (await long(1)).promptTokens.length - 1
      const full = await long(contextLength - frame - 3)
      expect(full.promptTokens.length).toBe(contextLength - 3)
      expect(full.outputTokensMax).toBe(3)
      const last = await answer(
        engine,
        job(' a'.repeat(contextLength - frame - 1), { temperature: 1, stop: [] }),
      )
      expect(last.steps.length).toBe(1)
      const refused = await long(contextLength - frame).catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(Engine.EngineRefusal)
      expect(refused).toMatchObject({
        code: 'context_length_exceeded',
        promptTokens: contextLength,
        contextLength,
      })
      const huge = await long(500_000).catch((error: unknown) => error)
      expect(huge).toMatchObject({ code: 'context_length_exceeded', contextLength })
      expect(huge).toHaveProperty(
        'promptTokens',
        expect.toSatisfy((tokens: number) => tokens >= contextLength),
      )
    })

    test('text in several bytes arrives whole, or as U+FFFD where the answer ends inside a character', async () => {
      for (const maxTokens of [24, 1]) {
        const { steps, text } = await answer(engine, job('Repeat: 😀😀😀', { maxTokens }))
        const bytes = Uint8Array.from(steps.flatMap((step) => [...step.bytes]))
        expect(text).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes))
        expect(steps.every((step) => step.text.isWellFormed())).toBe(true)
        if (maxTokens === 1) continue
        expect(text).toContain('😀')
        expect(steps.some((step) => step.bytes.length > 0 && step.text === '')).toBe(true)
      }
    })

    test('leaving the loop frees the only sequence', async () => {
      const long = job(story, { maxTokens: 400 })
      const prepared = await engine.prepare(long, { startedMs: 0 })
      for await (const step of engine.generate(prepared, long)) if (step.text !== '') break
      expect((await answer(engine, job('What is the capital of Japan?'))).text).toContain('Tokyo')
    })

    test('an aborted job throws the reason, and the job that waited runs next', async () => {
      const events: string[] = []
      const long = job(story, { maxTokens: 400 })
      const abort = new AbortController()
      const prepared = await engine.prepare(long, { startedMs: 0 })
      const run = async (label: string, asked = long, signal?: AbortSignal) => {
        try {
          for await (const step of engine.generate(prepared, asked, signal ? { signal } : {})) {
            if (!events.includes(`${label} begins`)) events.push(`${label} begins`)
            if (label === 'first' && step.text !== '') abort.abort(new Error('the caller left'))
          }
          events.push(`${label} ends`)
        } catch (error) {
          events.push(`${label}: ${error instanceof Error ? error.message : error}`)
        }
      }
      const short = { ...long, maxTokens: 2 }
      await Promise.all([run('first', long, abort.signal), run('second', short), run('third', short)])
      expect(events).toEqual([
        'first begins',
        'first: the caller left',
        'second begins',
        'second ends',
        'third begins',
        'third ends',
      ])
    })

    test('a job aborted while it waits never begins and holds no place', async () => {
      const short = job(story, { maxTokens: 8 })
      const abort = new AbortController()
      const running = answer(engine, short)
      const waiting = answer(engine, short, abort.signal)
      abort.abort(new Error('left the queue'))
      await expect(waiting).rejects.toThrow('left the queue')
      expect((await running).steps.length).toBe(8)
      expect((await answer(engine, short)).steps.length).toBe(8)
    })
  })

  describe(`engine ${name}: several sequences`, { timeout: 300_000 }, () => {
    test('each job gets its own right answer; after disposal there are no more', async () => {
      const engine = await create({ contextLength: 512, sequences: 3 })
      const capitals = {
        Japan: 'Tokyo',
        China: 'Beijing',
        Greece: 'Athens',
        Germany: 'Berlin',
        Egypt: 'Cairo',
      }
      const questions = Object.keys(capitals).map((country) => job(`What is the capital of ${country}?`))
      const answers = await Promise.all(questions.map((question) => answer(engine, question)))
      for (const [i, capital] of Object.values(capitals).entries())
        expect(answers[i]?.text).toContain(capital)
      await engine[Symbol.asyncDispose]()
      await expect(engine.prepare(job('Hi'), { startedMs: 0 })).rejects.toThrow('disposed')
      await engine[Symbol.asyncDispose]()
    })

    test('what an aborted job leaves is used while others still run', async () => {
      await using engine = await create({ contextLength: 512, sequences: 2 })
      const events: string[] = []
      const abort = new AbortController()
      const run = async (label: string, maxTokens: number, signal?: AbortSignal) => {
        const asked = job(story, { maxTokens })
        const prepared = await engine.prepare(asked, { startedMs: 0 })
        for await (const step of engine.generate(prepared, asked, signal ? { signal } : {})) {
          if (!events.includes(`${label} begins`)) events.push(`${label} begins`)
          if (step.finish) events.push(`${label} ends`)
          if (label === 'aborted') abort.abort(new Error('the caller left'))
        }
      }
      const aborted = run('aborted', 400, abort.signal)
      const beside = run('beside', 100)
      const waiting = run('waiting', 2)
      await expect(aborted).rejects.toThrow('the caller left')
      await Promise.all([beside, waiting])
      expect(events.indexOf('waiting ends')).toBeLessThan(events.indexOf('beside ends'))
    })
  })
}

async function scoreOf(
  engine: Engine.Engine,
  { prepared, tokens }: Answer,
): Promise<readonly Engine.Scored[]> {
  return engine.score({ prompt: prepared.promptTokens, tokens, top: 64 })
}

/** Text of the tokens up to and including the one at `index`. */
function shown({ steps }: Answer, index: number): string {
  return new TextDecoder().decode(
    Uint8Array.from(steps.slice(0, index + 1).flatMap((step) => [...step.bytes])),
  )
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
