import { type Job, Nonce } from '@counterfoil/protocol'
import type { Engine } from '../src/index.ts'

/** A job as the gateway derives it; only what a test is about is named. */
export function job(content: string, changes: Partial<Job.Job> = {}): Job.Job {
  return {
    schema: 'counterfoil/job/1',
    model: `0x${'00'.repeat(32)}`,
    messages: [{ role: 'user', content }],
    maxTokens: 64,
    samplerSeed: seed(1),
    temperature: 0,
    topP: 1,
    stop: [],
    logprobs: false,
    topLogprobs: 0,
    ...changes,
  }
}

export function seed(n: number): Job.Job['samplerSeed'] {
  return Nonce.samplerSeedOf(n)
}

export type Answer = {
  readonly prepared: Engine.Prepared
  readonly steps: readonly Engine.Step[]
  readonly text: string
  readonly tokens: readonly number[]
  readonly finish: Engine.Step['finish']
}

/** Prepares and generates one job to its end. */
export async function answer(engine: Engine.Engine, asked: Job.Job, signal?: AbortSignal): Promise<Answer> {
  const prepared = await engine.prepare(asked, { startedMs: 0 })
  const steps: Engine.Step[] = []
  for await (const step of engine.generate(prepared, asked, signal ? { signal } : {})) steps.push(step)
  return {
    prepared,
    steps,
    text: steps.map((step) => step.text).join(''),
    tokens: steps.map((step) => step.token),
    finish: steps.at(-1)?.finish,
  }
}
