import type { Engine } from '@counterfoil/engines'
import {
  Bytes,
  type Finish,
  type Job,
  Output,
  type ProviderHttp,
  Trace,
  type Usage,
} from '@counterfoil/protocol'

/** An answer as it grows: what was sampled, how much of it was handed over, and how much has left for the client. */
export type Answer = {
  readonly job: Job.Job
  readonly prepared: Engine.Prepared
  readonly steps: Engine.Step[]
  /** Steps before this one were handed over. */
  handed: number
  /** Steps before this one have left this process. */
  written: number
}

export function create(job: Job.Job, prepared: Engine.Prepared): Answer {
  return { job, prepared, steps: [], handed: 0, written: 0 }
}

/** What was sampled since the last delta; undefined while there is nothing to see in it. The caller sends it, then marks it. */
export function delta(answer: Answer): ProviderHttp.Delta | undefined {
  const fresh = answer.steps.slice(answer.handed)
  const content = textOf(fresh)
  const logprobs = logprobsOf(answer.job, fresh)
  if (content === '' && !logprobs?.length) return undefined
  return { content, ...(logprobs && { logprobs }) }
}

/** All steps so far were handed over; the function returned is called when they have left. */
export function markHanded(answer: Answer): () => void {
  const count = answer.steps.length
  answer.handed = count
  return () => {
    answer.written = Math.max(answer.written, count)
  }
}

/**
 * Output and trace of the first `count` steps. Throws where the engine's steps make no output that a client would take.
 * @example Answer.conclude(answer, answer.steps.length, 'stop').output.usage.outputTokens
 */
export function conclude(
  { job, prepared, steps }: Answer,
  count: number,
  finish: Finish.Finish,
): { readonly output: Output.Output; readonly trace: Trace.Trace } {
  const counted = steps.slice(0, count)
  const usage: Usage.Usage = {
    promptTokens: prepared.promptTokens.length,
    cachedTokens: prepared.cachedTokens,
    outputTokens: counted.length,
  }
  const logprobs = logprobsOf(job, counted)
  const output = Output.decode({
    schema: 'counterfoil/output/1',
    choices: [
      {
        message: { role: 'assistant', content: textOf(counted) },
        finish,
        ...(logprobs && { logprobs }),
      },
    ],
    usage,
  })
  const trace = Trace.encode([
    counted.map(({ token, logprob }) => ({ id: token, logprob: Trace.quantize(logprob) })),
  ])
  return { output, trace }
}

function textOf(steps: readonly Engine.Step[]): string {
  return steps.map((step) => step.text).join('')
}

/** One entry for each sampled token that has bytes: control tokens, such as the end of the sequence, are no part of the text. */
function logprobsOf(job: Job.Job, steps: readonly Engine.Step[]): Output.TokenLogprob[] | undefined {
  if (!job.logprobs) return undefined
  return steps
    .filter((step) => step.bytes.length > 0)
    .map((step) => ({
      // A token may end inside a character: its text then shows U+FFFD, its bytes are exact.
      token: new TextDecoder().decode(step.bytes),
      bytes: Bytes.toHex(step.bytes),
      logprob: Trace.quantize(step.logprob),
      top: (step.top ?? []).slice(0, job.topLogprobs).map((one) => ({
        token: one.text,
        bytes: Bytes.toHex(one.bytes),
        logprob: Trace.quantize(one.logprob),
      })),
    }))
}
