import type { Bytes, Report, Transcript } from '@counterfoil/protocol'
import { type CheckOptions, check } from './Check.ts'
import { fetchTranscript, type Gateway } from './Gateway.ts'
import * as Params from './Params.ts'

export type Checked = { readonly report: Report; readonly transcript: Transcript.Transcript }

export type FollowOptions = Omit<CheckOptions, 'now'> & {
  readonly now: () => number
  /** How long to wait for a root that is not posted yet; 0 looks once. */
  readonly waitMs: number
}

/**
 * Fetches the transcript of an answer and checks it, again and again while the policy waits for nothing but the root of its
 * epoch, for at most `waitMs`.
 * @throws {GatewayError} and {ChainError} where one of the two cannot be read.
 * @example
 * const { report } = await follow(gateway, id, { network, policy: { least: 'committed' }, now: Date.now, waitMs: 20_000 })
 */
export async function follow(gateway: Gateway, id: Bytes.Hex, options: FollowOptions): Promise<Checked> {
  const until = performance.now() + options.waitMs
  let pauseMs = Params.pollMsMin
  while (true) {
    const transcript = await fetchTranscript(gateway, id)
    const report = await check(transcript, { ...options, now: options.now() })
    const leftMs = until - performance.now()
    if (!isPending(report) || leftMs <= 0) return { report, transcript }
    await pause(Math.min(pauseMs, leftMs), gateway.signal)
    pauseMs = Math.min(2 * pauseMs, Params.pollMsMax)
  }
}

/** Unmet, and time alone may meet it: the root of the epoch comes after the answer. */
export function isPending({ judgement }: Report): boolean {
  return (
    !judgement.met &&
    judgement.rung === 'committed' &&
    (judgement.reason.code === 'root-not-posted' || judgement.reason.code === 'inclusion-missing')
  )
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop, { once: true })
  })
}
