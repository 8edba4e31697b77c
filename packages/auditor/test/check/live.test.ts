import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import { beforeAll, describe, expect, test } from 'vitest'
import * as Random from '../../../protocol/test/sampled/Random.ts'
import * as Check from '../../src/check/Check.ts'
import { Reference } from '../../src/check/Reference.ts'
import * as EngineServer from './EngineServer.ts'

// The real model over real HTTP. A busy machine computes a tenth of a quiet one.
describe('a check of the real model', { timeout: 1_200_000 }, () => {
  let modelPath = ''
  beforeAll(async () => {
    const store = await Store.open({ dir: defaultStoreDir(process.env) })
    await pull(store, defaultModel)
    modelPath = Store.path(store, defaultModel.manifest.files[0].sha256)
  }, 600_000)

  const run = async (
    options: { readonly requests: number; readonly seed: number } & Omit<
      Parameters<typeof EngineServer.serve>[0],
      'modelPath'
    >,
  ) => {
    await using server = await EngineServer.serve({ modelPath, ...options })
    await using reference = await Reference.open({ modelPath, threads: 1 })
    // Awaited here: the server lives as long as this function.
    return await Check.run(
      { target: { url: server.url, model: 'm' }, requests: options.requests },
      reference,
      {
        fetch,
        sleep: async () => {},
        clock: () => performance.now(),
        now: () => Date.now(),
        // Seeded: the questions are the same each time, so that this test is.
        random: Random.create(options.seed).uniform,
      },
    )
  }

  test('a hidden system prompt is found by what is said, where usage says nothing of it', async () => {
    const result = await run({
      requests: 60,
      seed: 1,
      hiddenPrompt: 'You are a poet. Answer in rhymed verse only.',
      liesAboutUsage: true,
    })
    expect(result).toMatchObject({ outcome: 'not-consistent', uncounted: {} })
    expect(result.observations.every(({ promptExcess }) => promptExcess === 0)).toBe(true)
  })

  test('the declared weights: prefill and decoding differ by less than is granted, and prompts are equal', async () => {
    const result = await run({ requests: 8, seed: 5 })
    expect(result.detail).toBeUndefined()
    expect(result).toMatchObject({ outcome: 'cannot-tell', reason: 'undecided', uncounted: {} })
    expect(result.observations).toHaveLength(8)
    for (const { gaps, deviations, promptExcess, tokens } of result.observations) {
      expect(Math.max(0, ...gaps)).toBeLessThan(0.4)
      expect(deviations.filter((one) => one > 0.3)).toEqual([])
      expect(promptExcess).toBe(0)
      expect(tokens).toBeGreaterThan(0)
    }
    const kinds = new Set(result.observations.map(({ kind }) => kind))
    expect(kinds).toEqual(new Set(['greedy', 'sampled']))
    expect(result.observations.some(({ deviations }) => deviations.length > 0)).toBe(true)
  })
})
