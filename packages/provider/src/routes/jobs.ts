import { Engine } from '@counterfoil/engines'
import { type Bytes, Claim, ProviderHttp, Refusal } from '@counterfoil/protocol'
import * as Access from '../Access.ts'
import * as Answer from '../Answer.ts'
import * as DiskWatch from '../DiskWatch.ts'
import * as EngineWatch from '../EngineWatch.ts'
import * as events from '../events.ts'
import * as Body from '../http/Body.ts'
import { EventStream } from '../http/EventStream.ts'
import * as Jobs from '../Jobs.ts'
import * as Params from '../Params.ts'
import type { Provider } from '../Provider.ts'
import * as Claims from '../store/Claims.ts'
import { type Call, digest, type Route } from './Route.ts'

export const jobs: readonly Route[] = [
  { method: 'POST', path: /^\/v1\/jobs$/, handle: post },
  {
    method: 'DELETE',
    path: new RegExp(`^/v1/jobs/${digest}$`),
    handle({ provider, request, response, params }) {
      const channel = Access.channelOf(provider.access, request.headers.authorization)
      const id = params[0] as Bytes.Hex
      const running = Jobs.find(provider, channel, id)
      if (!running && !Claims.ofRequest(provider.store, channel, id))
        throw new Refusal.RefusedError(Refusal.of('not_found', `Channel ${channel} has no request ${id}.`))
      // One that has ended is left as it is: what was asked for, that nothing runs, is so.
      if (running) Jobs.stop(running, 'cancelled')
      response.writeHead(204).end()
    },
  },
]

async function post({ provider, request, response }: Call): Promise<void> {
  const { authorization } = request.headers
  Access.channelOf(provider.access, authorization)
  const posted = await Body.read(request, Params.jobBodyBytesMax, ProviderHttp.readJobPost)
  Access.demand(provider.access, authorization, posted.channel)
  const admission = Jobs.enter(provider, posted)
  if (admission.kind === 'repeated') return replay(response, admission.end)
  const { running } = admission
  const onClose = () => Jobs.stop(running, 'disconnected')
  response.once('close', onClose)
  try {
    const admitted = await Jobs.admit(provider, posted, admission)
    response.off('close', onClose)
    events.jobAccepted(provider.log, running, admitted.prepared.promptTokens.length)
    await run(provider, response, admitted)
  } catch (error) {
    if (running.stopped) {
      events.jobDropped(provider.log, running, running.stopped)
      throw new Refusal.RefusedError(stoppedRefusal(running.stopped))
    }
    if (error instanceof Engine.EngineCrashed) {
      events.jobFailed(provider.log, running, error)
      throw new Refusal.RefusedError(engineRefusal())
    }
    throw error
  } finally {
    response.off('close', onClose)
    Jobs.leave(provider, running)
  }
}

const noFinish = 'the steps end without a finish'

/** The answer as it comes; ends with a claim that is on the disk, or with an error and no claim. */
async function run(provider: Provider, response: Call['response'], admitted: Jobs.Admitted): Promise<void> {
  const { running, post: posted, prepared } = admitted
  const stream = new EventStream(response, { 'x-receipt-id': running.request }, (why) =>
    Jobs.stop(running, why),
  )
  const answer = Answer.create(posted.job, prepared)
  const flush = () => {
    flushing = undefined
    const delta = Answer.delta(answer)
    if (delta) stream.send('delta', delta, Answer.markHanded(answer))
  }
  let flushing: NodeJS.Immediate | undefined
  let firstTokenMs: number | undefined
  let failure: unknown
  try {
    const { signal } = running.controller
    for await (const step of provider.engine.generate(prepared, posted.job, { signal })) {
      firstTokenMs ??= provider.clock.now()
      answer.steps.push(step)
      // Steps of one tick, such as those that piled up behind a busy loop, go out as one event.
      flushing ??= setImmediate(flush)
    }
  } catch (error) {
    failure = error
  }
  clearImmediate(flushing)
  flush()
  if (answer.steps.at(-1)?.finish) EngineWatch.onSuccess(provider.watch)
  else if (!running.stopped) EngineWatch.onFailure(provider.watch, failure ?? noFinish)

  const ending = endingOf(answer, running, stream.isOpen)
  if (!ending) {
    if (!running.stopped) events.jobFailed(provider.log, running, failure ?? noFinish)
    else events.jobDropped(provider.log, running, running.stopped)
    stream.end(
      'error',
      Refusal.toOpenAi(running.stopped ? stoppedRefusal(running.stopped) : failureRefusal(failure)),
    )
    return
  }
  try {
    const end = await Jobs.claim(provider, admitted, answer, { ...ending, firstTokenMs: firstTokenMs ?? 0 })
    // From here on the claim itself counts as unpaid.
    Jobs.leave(provider, running)
    const { claim } = end.receipt
    events.claimed(provider.log, running, {
      claimId: Claim.id(claim),
      sequence: claim.sequence,
      amount: claim.amount,
      finish: claim.finish,
      outputTokens: claim.usage.outputTokens,
      ms: claim.time.ended - claim.time.started,
    })
    stream.end('end', ProviderHttp.endToJson(end))
  } catch (error) {
    const isDisk = DiskWatch.onError(provider.disk, error)
    if (!isDisk) events.internalError(provider.log, 'POST /v1/jobs', error)
    const refusal = isDisk
      ? DiskWatch.refusal()
      : Refusal.of('internal_error', 'The claim could not be made; nothing is claimed.')
    stream.end('error', Refusal.toOpenAi(refusal))
  }
}

/**
 * What is claimed of an answer: all of it, or what was written to a client that left or cancelled. Nothing where the engine
 * or the provider failed, or nothing was delivered.
 */
function endingOf(
  answer: Answer.Answer,
  { stopped }: Jobs.Running,
  isOpen: boolean,
): Pick<Parameters<typeof Jobs.claim>[3], 'count' | 'finish'> | undefined {
  const finish = answer.steps.at(-1)?.finish
  if (finish && isOpen) return { count: answer.steps.length, finish }
  if (!stopped || stopped === 'shutdown') return undefined
  const count = isOpen && answer.handed > 0 ? answer.steps.length : answer.written
  return count > 0 ? { count, finish: 'aborted' } : undefined
}

/** An answer given before, as a stream again. */
function replay(response: Call['response'], end: ProviderHttp.End): void {
  const stream = new EventStream(response, { 'x-receipt-id': end.receipt.claim.request }, () => {})
  const choice = end.output.choices[0]
  const logprobs = choice?.logprobs ?? []
  const first = logprobs.slice(0, Params.deltaLogprobsMax)
  stream.send('delta', {
    content: choice?.message.content ?? '',
    ...(choice?.logprobs && { logprobs: first }),
  })
  for (let at = first.length; at < logprobs.length; at += Params.deltaLogprobsMax)
    stream.send('delta', { content: '', logprobs: logprobs.slice(at, at + Params.deltaLogprobsMax) })
  stream.end('end', ProviderHttp.endToJson(end))
}

function stoppedRefusal(why: Jobs.Stop): Refusal.Refusal {
  return Refusal.of(
    'unavailable',
    why === 'shutdown'
      ? 'The provider is stopping; nothing is claimed. Ask another, or again later.'
      : 'The job was cancelled before its first token was delivered; nothing is claimed.',
  )
}

function failureRefusal(failure: unknown): Refusal.Refusal {
  return failure instanceof Engine.EngineRefusal ? Refusal.of(failure.code, failure.message) : engineRefusal()
}

function engineRefusal(): Refusal.Refusal {
  return Refusal.of('engine_failed', 'The engine failed; nothing is claimed. Ask again, or another provider.')
}
