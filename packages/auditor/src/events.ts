import type { Bytes } from '@counterfoil/protocol'
import type { Logger } from 'pino'

// One function per business event. No prompt, answer, secret, nonce or API key is ever logged.

export type Log = Pick<Logger, 'info' | 'warn' | 'error'>

type Place = { readonly epoch: bigint; readonly leaf: number }
const text = (error: unknown) => (error instanceof Error ? error.message : String(error))

export function started(log: Log, at: { url: string; auditor: Bytes.Hex; models: readonly Bytes.Hex[] }) {
  log.info({ event: 'started', ...at }, `auditor listens on ${at.url}`)
}
export function planned(log: Log, plan: { epoch: bigint; model: Bytes.Hex; count: number }) {
  log.info({ event: 'planned', ...plan, epoch: `${plan.epoch}` }, 'audits planned and stored')
}
export function committed(log: Log, made: { number: number; epoch: bigint; count: number }) {
  log.info({ event: 'committed', ...made, epoch: `${made.epoch}` }, 'commitment is final')
}
export function dropped(log: Log, epoch: bigint) {
  log.warn(
    { event: 'dropped', epoch: `${epoch}` },
    'the epoch passed before the commitment: its plan is void',
  )
}
export function drawn(log: Log, at: { number: number; used: number }) {
  log.info({ event: 'drawn', ...at }, 'the beacon selected audits')
}
export function bought(
  log: Log,
  at: Place & { provider: Bytes.Hex; runtime: Bytes.Hex; amount: bigint; tokens: number },
) {
  log.info({ event: 'bought', ...at, epoch: `${at.epoch}`, amount: `${at.amount}` }, 'audit bought')
}
export function buyFailed(log: Log, at: Place, reason: string, isFinal: boolean) {
  log.warn(
    { event: 'buy-failed', ...at, epoch: `${at.epoch}`, reason, isFinal },
    isFinal ? 'audit could not be bought: it stays sealed' : 'audit was not answered; it is asked for again',
  )
}
export function overpriced(log: Log, model: Bytes.Hex, amount: bigint, median: bigint) {
  log.warn(
    { event: 'overpriced', model, amount: `${amount}`, median: `${median}` },
    'audits cost more than the median offer: nothing more is bought in this epoch',
  )
}
export function opened(
  log: Log,
  at: Place & { provider: Bytes.Hex; x: number | undefined; fault: string | undefined; ms: number },
) {
  log.info({ event: 'opened', ...at, epoch: `${at.epoch}`, ms: Math.round(at.ms) }, 'audit scored and opened')
}
export function scoreFailed(log: Log, at: Place, error: unknown, isFinal: boolean) {
  log.error(
    { event: 'score-failed', ...at, epoch: `${at.epoch}`, err: text(error), isFinal },
    'audit could not be scored: it stays sealed and counts for nobody',
  )
}
export function uncalibrated(log: Log, about: { provider: Bytes.Hex; model: Bytes.Hex; runtime: Bytes.Hex }) {
  log.warn(
    { event: 'uncalibrated', ...about },
    'no calibration for this runtime: its audits are opened but judge nobody; make one with foil calibrate',
  )
}
export function convicted(
  log: Log,
  about: {
    provider: Bytes.Hex
    model: Bytes.Hex
    answers: number
    tokens: number
    advisory: string | undefined
  },
) {
  log.error({ event: 'convicted', ...about }, 'the evidence reached the value that convicts')
}
export function cost(log: Log, spent: { runtime: Bytes.Hex; audits: number; amount: bigint }) {
  log.info({ event: 'cost', ...spent, amount: `${spent.amount}` }, 'what audits of this runtime class cost')
}
export function modelTaken(log: Log, model: { id: Bytes.Hex; name: string }) {
  log.info(
    { event: 'model-taken', model: model.id, name: model.name },
    'a model that gateways list is audited too',
  )
}
export function modelUnavailable(log: Log, model: { id: Bytes.Hex; name: string }, error: unknown) {
  log.warn(
    { event: 'model-unavailable', model: model.id, name: model.name, err: text(error) },
    'the weights of a listed model cannot be had: it is not audited; name a mirror that has them',
  )
}
export function listingFailed(log: Log, account: string, error: unknown) {
  log.warn({ event: 'listing-failed', account, err: text(error) }, 'a gateway did not list its models')
}
export function refused(log: Log, route: string, code: string, message: string) {
  log.info({ event: 'refused', route, code }, message)
}
export function internalError(log: Log, route: string, error: unknown) {
  log.error(
    { event: 'internal-error', route, err: error instanceof Error ? error.stack : String(error) },
    'a request failed by our own fault',
  )
}
export function acceptFailed(log: Log, error: Error) {
  log.error(
    { event: 'accept-failed', err: text(error) },
    'a connection was not accepted: raise the limit of open files',
  )
}
export function roundFailed(log: Log, doing: string, error: unknown) {
  log.warn({ event: 'round-failed', doing, err: text(error) }, 'this part of the round is tried again')
}
export function stopped(log: Log) {
  log.info({ event: 'stopped' }, 'auditor stopped')
}
