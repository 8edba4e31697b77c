import type { Engine, Llama } from '@counterfoil/engines'
import { type Job, Trace } from '@counterfoil/protocol'
import type { Provider } from '../Behaviour.ts'

/** The trace of an answer as a provider that tells the truth about its engine gives it. */
export async function serve(engine: Engine.Engine, job: Job.Job): Promise<readonly Trace.Token[]> {
  const prepared = await engine.prepare(job, { startedMs: 0 })
  const tokens: Trace.Token[] = []
  for await (const step of engine.generate(prepared, job))
    tokens.push({ id: step.token, logprob: Trace.quantize(step.logprob) })
  return tokens
}

/** A provider on one engine; `change` is what it does to a job before it works on it. */
export function provider(
  engine: Llama.LlamaEngine,
  change: (job: Job.Job) => Job.Job = (job) => job,
): Provider {
  return {
    runtime: engine.runtime,
    answer: (job) => serve(engine, change(job)),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  }
}
