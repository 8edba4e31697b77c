import { type Inclusions, type Outbox, RevertedError } from '@counterfoil/chain'
import type { Bytes, Refusal, Voucher } from '@counterfoil/protocol'
import type { Logger } from 'pino'

// One function per business event. No prompt, answer, salt, nonce or token is ever logged.

export type Log = Pick<Logger, 'info' | 'warn' | 'error'>

type Place = { readonly channel: Bytes.Hex; readonly request: Bytes.Hex }
const text = (error: unknown) => (error instanceof Error ? error.message : String(error))

export function started(
  log: Log,
  at: { url: string; keyId: Bytes.Hex; model: Bytes.Hex; runtime: Bytes.Hex },
) {
  log.info({ event: 'started', ...at }, `provider listens on ${at.url}`)
}
export function keyNotRegistered(log: Log, keyId: Bytes.Hex, provider: Bytes.Hex) {
  log.warn(
    { event: 'key-not-registered', keyId, provider },
    'the receipt key is not registered for this provider: payers cannot check its claims until it is',
  )
}
export function keysAbandoned(
  log: Log,
  keyIds: readonly Bytes.Hex[],
  reason: 'restored' | 'outdated' | 'conflict',
) {
  log.warn(
    { event: 'keys-abandoned', keyIds, reason },
    'receipt keys do not sign again: another store may have used their numbers',
  )
}
export function keyRenewed(log: Log, keyId: Bytes.Hex, before: Bytes.Hex) {
  log.info({ event: 'key-renewed', keyId, before }, 'a new receipt key is registered and signs from now on')
}
export function refused(log: Log, route: string, { code }: Refusal.Refusal) {
  // Without the message: it quotes what was sent, which may be a prompt or a nonce.
  log.info({ event: 'refused', route, code }, 'request refused')
}
export function jobAccepted(log: Log, place: Place, promptTokens: number) {
  log.info({ event: 'job-accepted', ...place, promptTokens }, 'job accepted')
}
export function jobFailed(log: Log, place: Place, error: unknown) {
  log.error({ event: 'job-failed', ...place, err: text(error) }, 'the engine failed; nothing is claimed')
}
export function engineFailed(log: Log, failures: number, reason: string) {
  log.error(
    { event: 'engine-failed', failures, err: reason },
    'the engine failed again and again: nothing is offered until it answers',
  )
}
export function engineRecovered(log: Log, ms: number) {
  log.info({ event: 'engine-recovered', ms }, 'the engine answers again: the offer is back')
}
export function diskFailed(log: Log, reason: string) {
  log.error(
    { event: 'disk-failed', err: reason },
    'the disk takes nothing: no job is taken until it does; make room in the folder of the store',
  )
}
export function diskRecovered(log: Log, ms: number) {
  log.info({ event: 'disk-recovered', ms }, 'the disk takes what is written again: the offer is back')
}
export function jobDropped(log: Log, place: Place, reason: string) {
  log.info({ event: 'job-dropped', ...place, reason }, 'job ended before its first token; nothing is claimed')
}
export function claimed(
  log: Log,
  place: Place,
  claim: {
    claimId: Bytes.Hex
    sequence: bigint
    amount: bigint
    finish: string
    outputTokens: number
    ms: number
  },
) {
  log.info(
    { event: 'claimed', ...place, ...claim, sequence: `${claim.sequence}`, amount: `${claim.amount}` },
    'claim signed and stored',
  )
}
export function voucherAccepted(
  log: Log,
  voucher: { channel: Bytes.Hex; cumulative: bigint; accepted: number; refused: number },
) {
  log.info(
    { event: 'voucher-accepted', ...voucher, cumulative: `${voucher.cumulative}` },
    'voucher stored and acknowledged',
  )
}
export function claimRefused(log: Log, claimId: Bytes.Hex, reason: string) {
  log.warn({ event: 'claim-refused', claimId, reason }, 'the payer refuses a claim')
}
export function writtenOff(
  log: Log,
  why: 'refused' | 'unpaid',
  { channel, claims, amount }: { channel: Bytes.Hex; claims: bigint; amount: bigint },
) {
  log.warn(
    { event: 'written-off', why, channel, claims: Number(claims), amount: `${amount}` },
    'claims were given up: they no longer count against the channel',
  )
}
export function batchPosted(log: Log, batch: { epoch: bigint; first: bigint; end: bigint; root: Bytes.Hex }) {
  log.info(
    {
      event: 'batch-posted',
      root: batch.root,
      epoch: `${batch.epoch}`,
      first: `${batch.first}`,
      end: `${batch.end}`,
    },
    'batch root posted',
  )
}
export function batchConflict(log: Log, epoch: bigint, ours: Bytes.Hex, theirs: Bytes.Hex) {
  log.error(
    { event: 'batch-conflict', epoch: `${epoch}`, ours, theirs },
    'the chain holds another root for this key and epoch: a second store signs with the key; take a new key',
  )
}
export function demandAnswered(log: Log, { claimId, epoch, sequence }: Inclusions.Demanded) {
  log.info(
    { event: 'demand-answered', claimId, epoch: `${epoch}`, sequence: `${sequence}` },
    'a demand for inclusion was answered',
  )
}
export function demandNotOurs(log: Log, { claimId, keyId, epoch, sequence, answerBy }: Inclusions.Demanded) {
  log.error(
    { event: 'demand-not-ours', claimId, keyId, epoch: `${epoch}`, sequence: `${sequence}`, answerBy },
    'a claim is demanded that this store has in no batch: answer it from the store that has it before answerBy, or the stake is held',
  )
}
/** `sent`: void ones, which the contract passes over, are among them; `amount` is what it paid. */
export function redeemed(log: Log, sent: number, amount: bigint) {
  log.info({ event: 'redeemed', sent, amount: `${amount}` }, 'one transaction of vouchers was paid')
}
export function voucherUnredeemable(
  log: Log,
  { channel, model, cumulative, epoch }: Voucher.Voucher,
  reason: string,
) {
  log.error(
    { event: 'voucher-unredeemable', channel, model, cumulative: `${cumulative}`, epoch: `${epoch}`, reason },
    'a voucher was left out, or it would have spoiled the others: the contract would refuse it; it is tried again',
  )
}
export function channelClosed(log: Log, channel: Bytes.Hex, lost: bigint) {
  log.warn({ event: 'channel-closed', channel, lost: `${lost}` }, 'channel closed before all was redeemed')
}
export function transaction(log: Log, { kind, ...rest }: Outbox.Event) {
  const write = kind === 'failed' || kind === 'renumbered' || kind === 'filled' ? log.warn : log.info
  write.call(log, { event: `transaction-${kind}`, ...rest }, `a transaction of ours: ${kind}`)
}
/** Work on the chain failed: the contract said no, or nobody answered. */
export function chainFailed(log: Log, doing: string, error: unknown) {
  if (!(error instanceof RevertedError)) return chainAway(log, doing, error)
  const { errorName, hash } = error
  log.warn(
    { event: 'chain-refused', doing, err: text(error), errorName, ...(hash && { hash }) },
    'the contract refused; it is looked at afresh in the next round',
  )
}
export function chainAway(log: Log, doing: string, error: unknown) {
  log.warn(
    { event: 'chain-away', doing, err: text(error) },
    'the chain did not do as asked; it is tried again',
  )
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
export function stopped(log: Log) {
  log.info({ event: 'stopped' }, 'provider stopped')
}
