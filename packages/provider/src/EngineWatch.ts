import type { Clock } from '@counterfoil/chain'
import { Engine } from '@counterfoil/engines'
import { type Bytes, Nonce } from '@counterfoil/protocol'
import * as events from './events.ts'
import * as Params from './Params.ts'

/** What the last jobs say of the engine. While it has failed, nothing is offered and no job is taken. */
export type EngineWatch = {
  readonly engine: Engine.Engine
  readonly model: Bytes.Hex
  readonly clock: Clock.Clock
  readonly log: events.Log
  /** Jobs that it failed in a row. */
  failures: number
  failed: { readonly sinceMs: number; readonly reason: string } | undefined
}

export function create(from: Omit<EngineWatch, 'failures' | 'failed'>): EngineWatch {
  return { ...from, failures: 0, failed: undefined }
}

/** A job failed by the engine's fault; a refusal is none. */
export function onFailure(watch: EngineWatch, error: unknown): void {
  if (error instanceof Engine.EngineRefusal) return
  watch.failures += 1
  if (watch.failed || watch.failures < Params.engineFailuresMax) return
  const reason = error instanceof Error ? error.message : String(error)
  watch.failed = { sinceMs: watch.clock.now(), reason }
  events.engineFailed(watch.log, watch.failures, reason)
}

/** A job was answered to its end. */
export function onSuccess(watch: EngineWatch): void {
  watch.failures = 0
  if (!watch.failed) return
  events.engineRecovered(watch.log, watch.clock.now() - watch.failed.sinceMs)
  watch.failed = undefined
}

/** While the engine has failed, asks it for one token; throws while it still fails. Nobody is charged for that. */
export async function probe(watch: EngineWatch): Promise<void> {
  if (!watch.failed) return
  const { engine, model, clock } = watch
  const job = {
    schema: 'counterfoil/job/1',
    model,
    messages: [{ role: 'user', content: 'Hi' }],
    maxTokens: 1,
    samplerSeed: Nonce.samplerSeedOf(0),
    temperature: 0,
    topP: 1,
    stop: [],
    logprobs: false,
    topLogprobs: 0,
  } as const
  const prepared = await engine.prepare(job, { startedMs: clock.now() })
  for await (const step of engine.generate(prepared, job)) if (step.finish) onSuccess(watch)
}
