import type { Engine } from '@counterfoil/engines'
import { type Bytes, type Job, Runtime, Sampler } from '@counterfoil/protocol'
import { describe, expect, test } from 'vitest'
import * as Scorer from '../src/Scorer.ts'

const fill = (byte: string): Bytes.Hex => `0x${byte.repeat(32)}`
const job = {
  temperature: 1,
  topP: 1,
  samplerSeed: fill('5e'),
  stop: [] as readonly string[],
} as Job.Job
const vocabulary = { ends: [0], bytes: () => new Uint8Array() }

/** 200 logits that fall; the same at every position, moved by `shift` for odd ids. */
function logits(shift: number): readonly Sampler.Candidate[] {
  return Array.from({ length: 200 }, (_, id) => ({ id, logit: 10 - 0.1 * id + (id % 2) * shift })).sort(
    (a, b) => b.logit - a.logit || a.id - b.id,
  )
}

class FakeEngine implements Engine.Engine {
  readonly limits = { contextLength: 512, sequences: 1 }
  readonly runtime: Engine.Engine['runtime']
  readonly #shift: number
  asked = 0
  constructor(kvCache: 'f16' | 'f32', shift = 0) {
    this.#shift = shift
    this.runtime = Runtime.decode({
      schema: 'counterfoil/runtime/1',
      engine: 'fake',
      version: '1',
      binary: fill('b1'),
      backend: 'cpu',
      numerics: { contextLength: 512, batchSize: 512, threads: 1, flashAttention: false, kvCache },
      sampler: 'gumbel/1',
      grammar: 'none',
      determinism: 'statistical',
    })
  }
  async prepare() {
    return { promptTokens: [1, 2, 3], cachedTokens: 0, outputTokensMax: 100 }
  }
  // biome-ignore lint/correctness/useYield: a scorer never generates
  async *generate(): AsyncGenerator<Engine.Step> {
    throw new Error('a reference does not answer')
  }
  async score({ prompt, tokens, top }: Engine.ScoreInput): Promise<readonly Engine.Scored[]> {
    this.asked += 1
    expect(prompt).toEqual([1, 2, 3])
    expect(top).toBe(128)
    const all = logits(this.#shift)
    return tokens.map((token) => {
      const logit = all.find((one) => one.id === token)?.logit ?? Number.NaN
      const sum = all.reduce((total, one) => total + Math.exp(one.logit), 0)
      return { token, logit, logprob: logit - Math.log(sum), top: all.slice(0, top) }
    })
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** What an honest provider would have drawn, with the log-probabilities it would have told. */
function honest(count: number, seed: Bytes.Hex, { temperature = 1, choice = 0 } = {}) {
  const candidates = logits(0)
  const sum = candidates.reduce((total, one) => total + Math.exp(one.logit), 0)
  return Array.from({ length: count }, (_, position) => {
    const id = Sampler.choose({ candidates, temperature, topP: 1, seed, choice, position })
    const logit = candidates.find((one) => one.id === id)?.logit ?? Number.NaN
    return { id, logprob: Math.max(-32_768, Math.round(1024 * (logit - Math.log(sum)))) }
  })
}

function scene(shift = 0) {
  const first = new FakeEngine('f16')
  const second = new FakeEngine('f32', shift)
  return { first, second, scorer: Scorer.of({ vocabulary, first, second: async () => second }) }
}

describe('scoring', () => {
  const answer = { where: 'answer', logprobFactor: 1_000 } as const
  test('an honest answer needs one scoring and shows nothing', async () => {
    const { first, second, scorer } = scene()
    const { statistics, promptTokens } = await scorer.score({
      ...{ job, startedMs: 0, second: answer },
      tokens: honest(40, job.samplerSeed),
    })
    expect(promptTokens).toBe(3)
    expect(statistics).toHaveLength(40)
    expect(statistics.every((one) => one.first === 0 && one.logprob <= 1)).toBe(true)
    expect([first.asked, second.asked]).toEqual([1, 1 - 1])
  })

  test("own noise needs both, and shows; the second reference's doubt is kept as spread", async () => {
    const { first, second, scorer } = scene(0.2)
    const { statistics } = await scorer.score({
      ...{ job, startedMs: 0, second: answer },
      tokens: honest(40, fill('99')),
    })
    expect([first.asked, second.asked]).toEqual([1, 1])
    expect(statistics.filter((one) => one.first > 3_000).length).toBeGreaterThan(10)
    expect(statistics.every((one) => one.spread > 900 && one.spread < 1_100)).toBe(true)
  })

  test('for a calibration the second is made as soon as one token scores', async () => {
    const tokens = honest(40, job.samplerSeed).map((one, i) => (i === 3 ? { ...one, id: 60 } : one))
    const { second, scorer } = scene()
    await scorer.score({ job, startedMs: 0, tokens, second: { where: 'token' } })
    expect(second.asked).toBe(1)
    const calm = scene()
    await calm.scorer.score({
      ...{ job, startedMs: 0, second: { where: 'token' } },
      tokens: honest(40, job.samplerSeed),
    })
    expect(calm.second.asked).toBe(0)
  })

  test('a token below the 128th has its own logit; numbers that are none are an error', async () => {
    const { scorer } = scene()
    const one = await scorer.score({
      job,
      startedMs: 0,
      tokens: [{ id: 190, logprob: -20_000 }],
      second: answer,
    })
    expect(one.statistics[0]?.first).toBeGreaterThan(30_000)
    await expect(
      scorer.score({ job, startedMs: 0, tokens: [{ id: 5_000, logprob: -1 }], second: answer }),
    ).rejects.toThrow('a reference scoring')
  })

  test('at temperature 0 the likeliest token is honest and the second shows, whatever the seed', async () => {
    const greedy = { ...job, temperature: 0 }
    const { scorer } = scene()
    const statisticsOf = async (tokens: ReturnType<typeof honest>) =>
      (await scorer.score({ job: greedy, startedMs: 0, tokens, second: answer })).statistics
    const tokens = honest(10, fill('77'), { temperature: 0 })
    expect(new Set(tokens.map(({ id }) => id))).toEqual(new Set([0]))
    expect((await statisticsOf(tokens)).every(({ first }) => first === 0)).toBe(true)
    const [best] = tokens
    if (!best) return expect.fail('no token')
    // The second is 0.1 logit behind: half of it would have to move on each side, rounded down.
    expect(await statisticsOf([{ ...best, id: 1 }])).toMatchObject([{ first: 499 }])
  })

  test('of several choices each has noise of its own: scored as another it shows', async () => {
    const { scorer } = scene()
    const tokens = honest(60, job.samplerSeed, { choice: 2 })
    const excess = async (choice: number) => {
      const { statistics } = await scorer.score({ job, startedMs: 0, tokens, choice, second: answer })
      return statistics.filter(({ first }) => first > 3_000).length
    }
    expect(await excess(2)).toBe(0)
    for (const other of [0, 1, 3]) expect(await excess(other)).toBeGreaterThan(15)
  })

  test('names the runtimes of both scorings', async () => {
    const { scorer, first, second } = scene()
    expect(await scorer.references()).toEqual([Runtime.id(first.runtime), Runtime.id(second.runtime)])
  })
})
