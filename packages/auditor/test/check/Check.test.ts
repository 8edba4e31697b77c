import { describe, expect, test } from 'vitest'
import * as Check from '../../src/check/Check.ts'
import type { Observation } from '../../src/check/Observation.ts'
import * as Page from '../../src/check/Page.ts'
import * as Params from '../../src/check/Params.ts'
import * as Report from '../../src/check/Report.ts'
import { completion, failure, fakeApi } from './FakeApi.ts'

const usage = { usage: { prompt_tokens: 10, completion_tokens: 50 } }
const target = { url: 'http://user:pass@host/v1?key=sk-query', model: 'm' }

/** Says of every answer the same, by its kind. */
function fakeScorer(gaps: readonly number[], promptExcess: number | null = 0): Check.Scorer {
  return {
    observe: async ({ kind }): Promise<Observation> => ({
      kind,
      tokens: 50,
      gaps: kind === 'greedy' ? gaps : [],
      surprise: 0,
      deviations: [],
      promptExcess,
    }),
  }
}

/** Runs a check whose random numbers are the same every time. */
async function run(
  answer: Parameters<typeof fakeApi>[0],
  { scorer = fakeScorer([]), ...options }: Partial<Check.Options> & { readonly scorer?: Check.Scorer } = {},
) {
  const { ports, sent, waits } = fakeApi(answer)
  let state = 1
  const random = () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
  const result = await Check.run({ target, ...options }, scorer, { ...ports, random, now: () => 0 })
  return { result, sent, waits }
}

describe('run', () => {
  test('stops as soon as it is decided', async () => {
    const { result, sent } = await run(() => completion('Hi', usage), { scorer: fakeScorer([9, 9, 9, 9, 9]) })
    expect(result).toMatchObject({ outcome: 'not-consistent', uncounted: {} })
    expect(sent.length).toBe(result.observations.length)
    expect(sent.length).toBeLessThan(15)
    expect(result.cost).toMatchObject({ promptTokens: 10 * sent.length, outputTokens: 50 * sent.length })
  })

  test('an honest API is consistent before the requests are spent', async () => {
    const { result, sent } = await run(() => completion('Hi', usage))
    expect(result.outcome).toBe('consistent')
    expect(sent.length).toBeLessThan(Params.requestsDefault)
  })

  test('asks both kinds, with a prompt and a seed of its own each time', async () => {
    const { sent } = await run(() => completion('Hi'), { requests: 20 })
    expect(new Set(sent.map(({ body }) => body.temperature))).toEqual(new Set([0, 1]))
    expect(new Set(sent.map(({ body }) => JSON.stringify(body.messages))).size).toBe(20)
    expect(new Set(sent.map(({ body }) => body.seed)).size).toBe(20)
  })

  test('all requests spent: cannot tell, and says so', async () => {
    const { result } = await run(() => completion('Hi'), { requests: 3 })
    expect(result).toMatchObject({ outcome: 'cannot-tell', reason: 'undecided', cost: { requests: 3 } })
  })

  test('stopped by its caller: what was counted until then is told', async () => {
    const stop = new AbortController()
    const seen: Check.Progress[] = []
    const { result } = await run(() => completion('Hi', usage), {
      signal: stop.signal,
      onProgress: (progress) => {
        seen.push(progress)
        if (progress.asked === 5) stop.abort()
      },
    })
    expect(result).toMatchObject({ outcome: 'cannot-tell', reason: 'stopped', uncounted: {} })
    expect(result.observations).toHaveLength(5)
    expect(seen.map(({ counted }) => counted)).toEqual([0, 1, 2, 3, 4, 5])
    expect(seen.at(-1)?.progress.consistent).toBeGreaterThanOrEqual(0)
  })

  test.each<[string, () => Response, Check.Uncounted]>([
    ['empty answers', () => completion(''), 'empty'],
    ['a rate limit', () => failure(429, 'slow'), 'rate-limited'],
    ['an API that fails', () => failure(500, 'oh'), 'server-error'],
  ])('%s: named, not counted, and not for ever', async (_, answer, reason) => {
    const { result } = await run(answer)
    expect(result).toMatchObject({
      outcome: 'cannot-tell',
      reason,
      observations: [],
      uncounted: { [reason]: Params.uselessInARowMax },
    })
  })

  test('nothing to count in few requests: their reason, not that the evidence does not suffice', async () => {
    const { result } = await run(() => failure(500, 'oh'), { requests: 2 })
    expect(result).toMatchObject({ outcome: 'cannot-tell', reason: 'server-error', detail: '500 oh' })
  })

  test.each<[number, Check.Uncounted]>([
    [401, 'unauthorized'],
    [404, 'not-found'],
    [400, 'refused'],
  ])('%d ends at once', async (status, reason) => {
    const { result } = await run(() => failure(status, 'no'))
    expect(result).toMatchObject({
      outcome: 'cannot-tell',
      reason,
      detail: `${status} no`,
      uncounted: { [reason]: 1 },
    })
  })

  test('bad answers between good ones are counted as nothing', async () => {
    const { result } = await run((_, n) => completion(n % 2 ? '' : 'Hi'), { requests: 20 })
    expect(result).toMatchObject({ reason: 'undecided', uncounted: { empty: 10 } })
    expect(result.observations).toHaveLength(10)
  })

  test('a model that changes its name in every second reply', async () => {
    const { result } = await run((_, n) => completion('Hi', { model: n % 2 ? 'a' : 'b' }), { requests: 20 })
    expect(result).toMatchObject({ uncounted: { 'model-changed': 10 }, modelInReplies: 'a' })
  })

  test('a model that changes its name for good: what came before is kept, and it cannot be told', async () => {
    const { result } = await run((_, n) => completion('Hi', { model: n > 5 ? 'cheaper' : 'dear' }))
    expect(result).toMatchObject({ outcome: 'cannot-tell', reason: 'model-changed', modelInReplies: 'dear' })
    expect(result.uncounted).toEqual({ 'model-changed': Params.uselessInARowMax })
    expect(result.observations).toHaveLength(5)
  })

  test('bodies without end: named, not counted', async () => {
    const { result } = await run(() => completion('x'.repeat(Params.textCharsMax + 1)))
    expect(result).toMatchObject({ outcome: 'cannot-tell', reason: 'too-long', observations: [] })
  })

  test('no usage: nothing is made up, and the prompt says nothing', async () => {
    const { result } = await run(() => completion('Hi'), { scorer: fakeScorer([], null) })
    expect(result.outcome).toBe('consistent')
    expect(result.cost).toMatchObject({ promptTokens: 0, outputTokens: 0 })
    expect(result.judgement.signals.find(({ signal }) => signal === 'prompt')).toMatchObject({
      answers: 0,
      mean: null,
      evidenceAgainst: 1,
    })
  })

  test('text that the reference cannot read', async () => {
    const { result } = await run(() => completion('Hi'), { scorer: { observe: async () => undefined } })
    expect(result).toMatchObject({ outcome: 'cannot-tell', reason: 'not-scorable' })
  })

  test.each([0, 1.5, Params.requestsMax + 1])('refuses %d requests', async (requests) => {
    await expect(run(() => completion('Hi'), { requests })).rejects.toThrow(RangeError)
  })
})

describe('report and page', () => {
  const subject: Report.Subject = {
    startedAt: new Date(0),
    url: target.url,
    model: '<script>alert("m")</script>',
    reference: { name: "weights & 'more'", sha256: '0xab', runtime: 'r' },
  }
  const report = async (...given: Parameters<typeof run>) => Report.of((await run(...given)).result, subject)

  test('states the outcome with its bound, effect, interval and cost', async () => {
    const found = await report(() => completion('Hi', usage), { scorer: fakeScorer([9, 9, 9, 9, 9]) })
    expect(found.summary).toMatch(/is not consistent with .*, by tokens at temperature 0$/)
    expect(found).toMatchObject({ outcome: 'not-consistent', errorBound: Params.falseAlarm, reason: null })
    expect(found.findings[0]).toMatch(/^at temperature 0, (\d+) of \d+ tokens are .* \(90\.0 %\)$/)
    const [greedy] = found.signals
    expect(greedy?.effect).toBe(1)
    expect(greedy?.low).toBeGreaterThan(0.02)
    expect(found.cost.counted).toBe(found.observations.length)
  })

  test('holds no key, prompt or answer', async () => {
    const found = JSON.stringify(await report(() => completion('Kumquats'), { requests: 2 }))
    for (const secret of ['sk-query', 'user:pass', 'Kumquats', 'assistant'])
      expect(found).not.toContain(secret)
  })

  test('every reason has words', async () => {
    expect((await report(() => completion(''))).summary).toContain('the answers are empty')
    expect((await report(() => completion('Hi'), { requests: 1 })).summary).toContain('--requests')
  })

  test('says what differs and does not decide', async () => {
    const more = await report(() => completion('Hi', { model: 'snapshot' }), {
      requests: 4,
      scorer: fakeScorer([], 5),
    })
    expect(more.findings.join('\n')).toMatch(/differ from the reference's count by \+5 in 4 of 4 answers/)
    expect(more.findings.join('\n')).toMatch(/call the model snapshot/)
    const silent = await report(() => completion('Hi'), { requests: 4, scorer: fakeScorer([], null) })
    expect(silent.findings.join('\n')).toMatch(/does not say how many tokens/)
  })

  test('the page escapes what came from outside, runs nothing and loads nothing', async () => {
    const page = Page.html(await report(() => failure(401, '<img src=x onerror=alert(1)>')))
    expect(page).toContain('&lt;script&gt;alert(&quot;m&quot;)&lt;/script&gt;')
    expect(page).toContain('&lt;img src=x')
    expect(page).toContain('weights &amp; &#39;more&#39;')
    expect(page).not.toMatch(/<(script|img|link|iframe)/)
    expect(page).not.toMatch(/<[a-z]+[^>]*\b(src|href)=/)
    expect(page).toContain("default-src 'none'")
  })

  test('the page draws a bar for each signal and a line through the evidence', async () => {
    const page = Page.html(await report(() => completion('Hi'), { requests: 12 }))
    expect(page.match(/stroke-width="6"/g)).toHaveLength(4)
    expect(page.match(/points="([^"]*)"/)?.[1]?.split(' ')).toHaveLength(13)
    expect(page).not.toContain('NaN')
  })
})
