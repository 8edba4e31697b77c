import { Engine } from '@counterfoil/engines'
import {
  Batch,
  Bytes,
  Claim,
  type Finish,
  Job,
  Network,
  Nonce,
  Offer,
  Output,
  Params as ProtocolParams,
  type ProviderHttp,
  Refusal,
  Trace,
} from '@counterfoil/protocol'
import * as Answer from './Answer.ts'
import * as Channel from './Channel.ts'
import * as ChannelCache from './ChannelCache.ts'
import * as Credit from './Credit.ts'
import * as EngineWatch from './EngineWatch.ts'
import * as KeyRing from './KeyRing.ts'
import * as Offers from './Offers.ts'
import * as Params from './Params.ts'
import type { Provider } from './Provider.ts'
import * as Providers from './Provider.ts'
import * as Claims from './store/Claims.ts'
import * as Sequence from './store/Sequence.ts'

/** Why a job ends before its answer does. */
export type Stop = 'cancelled' | 'disconnected' | 'stalled' | 'shutdown'

/** A job from the moment it is looked at until its claim is durable. */
export type Running = {
  readonly channel: Bytes.Hex
  readonly request: Bytes.Hex
  readonly controller: AbortController
  /** What it may cost, once that is known; it counts in the channel's exposure. */
  worstCase: bigint
  stopped: Stop | undefined
  /** Settles when the job has left: its claim is durable, or there is none. */
  readonly ended: PromiseWithResolvers<void>
}

/** A job that may run. */
export type Admitted = {
  readonly running: Running
  readonly post: ProviderHttp.JobPost
  readonly salts: Nonce.Salts
  readonly offer: Offer.Offer
  readonly prepared: Engine.Prepared
  readonly startedMs: number
}

/** What a posted job comes to: the answer given before, or a place among the running. */
export type Admission =
  | { readonly kind: 'repeated'; readonly end: ProviderHttp.End }
  | { readonly kind: 'running'; readonly running: Running; readonly salts: Nonce.Salts }

/**
 * Looks a job up by its request, or takes a place for it. What follows may wait, so the place is taken first.
 * @throws {Refusal.RefusedError}
 */
export function enter(provider: Provider, post: ProviderHttp.JobPost): Admission {
  const { channel, job } = post
  const salts = Nonce.salts(post.nonce)
  const request = Job.digest(job, salts.request)
  const known = Claims.ofRequest(provider.store, channel, request)
  if (known?.end) return { kind: 'repeated', end: known.end }
  if (known)
    throw refused(
      'not_found',
      `Request ${request} was answered by claim ${known.claimId}; its transcript was dropped after 30 days.`,
      'job',
    )
  const unavailable = Providers.unavailable(provider)
  if (unavailable) throw refused('unavailable', `${unavailable} Ask another, or again later.`)
  const key = keyOf(channel, request)
  if (provider.running.has(key))
    throw refused('request_in_progress', `Request ${request} is being answered.`, 'job')
  const sameChannel = [...provider.running.values()].filter((one) => one.channel === channel)
  const placesMax = provider.engine.limits.sequences + provider.queueJobsMax
  if (provider.running.size >= placesMax || sameChannel.length >= Params.jobsPerChannelMax)
    throw refused(
      'queue_full',
      `${provider.running.size} jobs are running or waiting, ${sameChannel.length} of this channel; at most ${placesMax} and ${Params.jobsPerChannelMax} may. Try again in ${Params.retryAfterSeconds} s.`,
    )
  const running: Running = {
    channel,
    request,
    controller: new AbortController(),
    worstCase: 0n,
    stopped: undefined,
    ended: Promise.withResolvers(),
  }
  provider.running.set(key, running)
  return { kind: 'running', running, salts }
}

export function leave(provider: Provider, running: Running): void {
  provider.running.delete(keyOf(running.channel, running.request))
  running.ended.resolve()
}

export function find(provider: Provider, channel: Bytes.Hex, request: Bytes.Hex): Running | undefined {
  return provider.running.get(keyOf(channel, request))
}

/** Ends a job early and frees its sequence; the first reason counts. */
export function stop(running: Running, why: Stop): void {
  running.stopped ??= why
  running.controller.abort(new StoppedError(running.stopped))
}

/**
 * Everything that can refuse a job before work: offer, model, limits, channel, context, credit, deposit.
 * @throws {Refusal.RefusedError}
 */
export async function admit(
  provider: Provider,
  post: ProviderHttp.JobPost,
  { running, salts }: Extract<Admission, { kind: 'running' }>,
): Promise<Admitted> {
  const { job } = post
  const startedMs = provider.clock.now()
  const offer = checkOffer(provider, post)
  await ChannelCache.open(provider.channels, post.channel)
  const prepared = await prepare(provider, job, startedMs, running.controller.signal)
  running.controller.signal.throwIfAborted()
  const price = Offer.charge(offer.prices, {
    promptTokens: prepared.promptTokens.length,
    cachedTokens: 0,
    outputTokens: Math.min(job.maxTokens, prepared.outputTokensMax),
  })
  // Read again: from here to the reservation nothing waits, so no other job can slip in between.
  const channel = await ChannelCache.open(provider.channels, post.channel)
  const standing = Channel.standing(provider, post.channel, channel)
  const why = Credit.refusal(standing, Channel.credit(provider, standing.paid), price)
  if (why) throw new Refusal.RefusedError(why)
  running.worstCase = price
  return { running, post, salts, offer, prepared, startedMs }
}

/** Signs the claim for the first `count` tokens; durable when it resolves. Number and signature come at once: nothing else can take it. */
export async function claim(
  provider: Provider,
  { post, running, salts, offer, startedMs }: Admitted,
  answer: Answer.Answer,
  ending: { readonly count: number; readonly finish: Finish.Finish; readonly firstTokenMs: number },
): Promise<ProviderHttp.End> {
  const { output, trace } = Answer.conclude(answer, ending.count, ending.finish)
  const firstToken = Math.max(startedMs, ending.firstTokenMs)
  // The key of the offer: it may have been replaced since.
  const signer = KeyRing.find(provider.ring, offer.keyId)
  if (!signer) throw new Error(`receipt key ${offer.keyId} must not sign any more`)
  const epoch = Batch.epochAt(provider.time.seconds(), provider.network.epochSeconds)
  const body: Claim.Claim = {
    domain: Network.domain(provider.network),
    provider: provider.chain.provider,
    keyId: offer.keyId,
    ...Sequence.take(signer.sequence, epoch),
    model: offer.model,
    runtime: offer.runtime,
    offer: Offer.id(offer),
    request: running.request,
    answer: Output.digest(output, salts.answer),
    trace: Trace.root(trace, salts.trace),
    usage: output.usage,
    finish: ending.finish,
    channel: post.channel,
    amount: Offer.charge(offer.prices, output.usage),
    time: { started: startedMs, firstToken, ended: Math.max(firstToken, provider.clock.now()) },
    parents: Bytes.zero32,
    evidence: Bytes.zero32,
  }
  const receipt = { claim: body, signature: signer.key.sign(Claim.encode(body)), evidence: [] }
  const end = { receipt, output, trace }
  await Claims.insertSoon(provider.store, end, salts)
  return end
}

function checkOffer(provider: Provider, { offer: id, job }: ProviderHttp.JobPost): Offer.Offer {
  const offer = Offers.find(provider.offers, id)
  if (!offer)
    throw refused(
      'offer_expired',
      `Offer ${id} is not one of ours that is valid now. Fetch GET /v1/offers again.`,
      'offer',
    )
  if (job.model !== offer.model)
    throw refused(
      'model_not_found',
      `The job asks for model ${job.model}; offer ${id} is for ${offer.model} (${provider.manifest.name}).`,
      'job.model',
    )
  if (job.maxTokens > offer.limits.outputTokens)
    throw refused(
      'output_limit_exceeded',
      `maxTokens is ${job.maxTokens}; this offer allows at most ${offer.limits.outputTokens}.`,
      'job.maxTokens',
    )
  const entries = job.logprobs ? job.maxTokens * (1 + job.topLogprobs) : 0
  if (entries * Params.logprobEntryBytes > ProtocolParams.outputBytesMax)
    throw refused(
      'output_limit_exceeded',
      `maxTokens ${job.maxTokens} with topLogprobs ${job.topLogprobs} may come to more than ${ProtocolParams.outputBytesMax} bytes. Ask for fewer.`,
      'job.topLogprobs',
    )
  return offer
}

async function prepare(
  provider: Provider,
  job: Job.Job,
  startedMs: number,
  signal: AbortSignal,
): Promise<Engine.Prepared> {
  try {
    return await provider.engine.prepare(job, { startedMs, signal })
  } catch (error) {
    if (error instanceof Engine.EngineRefusal)
      throw refused(error.code, error.message, error.code === 'queue_full' ? null : 'job.messages')
    if (!signal.aborted) EngineWatch.onFailure(provider.watch, error)
    throw error
  }
}

function keyOf(channel: Bytes.Hex, request: Bytes.Hex): string {
  return `${channel}/${request}`
}

function refused(code: Refusal.Code, message: string, param: string | null = null): Refusal.RefusedError {
  return new Refusal.RefusedError(Refusal.of(code, message, param))
}

/** A job was ended from outside its engine. */
export class StoppedError extends Error {
  override readonly name = 'Jobs.StoppedError'
  readonly why: Stop
  constructor(why: Stop) {
    super(`the job was stopped: ${why}`)
    this.why = why
  }
}
