import { ChainTime } from '@counterfoil/chain'
import type { Bytes, Claim, Refusal } from '@counterfoil/protocol'
import type { Logger } from 'pino'
import type { Metrics } from './Metrics.ts'

/** What happens at a gateway, one function an event: its line in the log and what is counted. */
export type Events = ReturnType<typeof create>

export function create(log: Logger, metrics: Metrics) {
  return {
    listening: (url: string) => log.info({ url }, 'listening'),
    stopping: () => log.info('stopping'),
    /** An answer was accepted, `ms` after the request; its claim says what it cost. */
    answered({ claim, ms }: { readonly claim: Claim.Claim; readonly ms: number }): void {
      const { request, provider, amount } = claim
      log.info({ request, provider, amount: `${amount}`, ms: Math.round(ms) }, 'answered')
      metrics.requests.inc({ outcome: 'answered' })
      metrics.verdicts.inc({ outcome: 'holds', reason: '' })
      metrics.charged.inc(Number(amount))
      metrics.use(claim.usage)
      metrics.seconds.observe(ms / 1000)
    },
    /** A request was not answered; the caller was told why. */
    refused: (code: Refusal.Code) => metrics.requests.inc({ outcome: code }),
    /** A claim did not check; it is kept as evidence and not paid. */
    claimRefused(at: {
      readonly request: Bytes.Hex
      readonly provider: Bytes.Hex
      readonly reason: string
    }): void {
      log.warn(at, 'claim refused')
      // Reasons begin with their code.
      metrics.verdicts.inc({ outcome: 'fails', reason: /^[a-z-]{1,40}(?=:)/.exec(at.reason)?.[0] ?? 'other' })
    },
    /** A provider did not do its part for one job. */
    attemptFailed(at: {
      readonly request: Bytes.Hex
      readonly provider: Bytes.Hex
      readonly reason: string
    }): void {
      log.warn(at, 'attempt failed')
      metrics.attempts.inc({ provider: at.provider })
    },
    setAside: (at: { readonly provider: Bytes.Hex; readonly ms: number; readonly reason: string }) =>
      log.warn(at, 'provider set aside'),
    /** A channel cannot be used at present. */
    channelUnusable: (at: { readonly channel: Bytes.Hex; readonly reason: string }) =>
      log.warn(at, 'channel unusable'),
    /** Whether our key has opened a channel to this provider could not be read. */
    discoveryFailed: (at: { readonly provider: Bytes.Hex; readonly reason: string }) =>
      log.warn(at, 'looking for a channel failed'),
    offerIgnored: (at: {
      readonly provider: Bytes.Hex
      readonly model: Bytes.Hex
      readonly reason: string
    }) => log.warn(at, 'offer ignored'),
    paid(at: { readonly channel: Bytes.Hex; readonly cumulative: bigint; readonly claims: number }): void {
      log.info({ ...at, cumulative: `${at.cumulative}` }, 'voucher taken')
      metrics.vouchers.inc({ outcome: 'taken' })
    },
    voucherFailed(at: { readonly channel: Bytes.Hex; readonly reason: string }): void {
      log.warn(at, 'voucher not taken')
      metrics.vouchers.inc({ outcome: 'not taken' })
    },
    /** The provider held a higher voucher of ours than our database. */
    voucherAdopted: (at: {
      readonly channel: Bytes.Hex
      readonly model: Bytes.Hex
      readonly cumulative: bigint
    }) => log.warn({ ...at, cumulative: `${at.cumulative}` }, 'higher voucher adopted'),
    /** What a gateway that died had left running was settled, refused or given up. */
    recovered(at: {
      readonly request: string
      readonly outcome: 'accepted' | 'refused' | 'given up'
      readonly reason?: string
    }): void {
      log.info(at, 'recovered')
      metrics.recovered.inc({ outcome: at.outcome })
    },
    included: (at: { readonly keyId: string; readonly epoch: bigint; readonly receipts: number }) =>
      log.debug({ ...at, epoch: `${at.epoch}` }, 'inclusion proved'),
    auditorAway: (at: { readonly auditor: Bytes.Hex; readonly reason: string }) =>
      log.warn(at, 'auditor away'),
    /** A page that does not check counts as sealed. */
    auditPageRefused: (at: {
      readonly auditor: Bytes.Hex
      readonly number: number
      readonly code: string
      readonly reason: string
    }) => log.warn(at, 'audit page refused'),
    /** A provider's process crossed the threshold: it gets no more work for this model. */
    convicted: (at: {
      readonly provider: Bytes.Hex
      readonly model: Bytes.Hex
      readonly answers: number
      readonly tokens: number
      readonly advisory?: string
    }) => log.warn(at, 'convicted'),
    evidenceKept: (at: { readonly provider: Bytes.Hex; readonly claim: Bytes.Hex }) =>
      log.info(at, 'evidence kept'),
    evidenceRefused: (at: {
      readonly auditor: Bytes.Hex
      readonly claim: Bytes.Hex
      readonly reason: string
    }) => log.warn(at, 'evidence refused'),
    /** The retention window of so many has passed. */
    pruned: (at: { readonly requests: number; readonly refused: number; readonly lines: number }) =>
      log.info(at, 'pruned'),
    databaseAway: (error: unknown) => log.error({ reason: reasonOf(error) }, 'database away'),
    chainAway: (error: unknown) => log.warn({ reason: reasonOf(error) }, 'chain away'),
    clockApart: ChainTime.tellApart(log),
    /** No handle was left for a connection that came: raise the process's limit of open files. */
    acceptFailed: (error: Error) => log.error({ reason: reasonOf(error) }, 'connection not accepted'),
    /** Work in the background failed in a way that nobody planned for; it is tried again at its next turn. */
    backgroundFailed: (what: string, error: unknown) => log.error({ err: error }, `${what} failed`),
    /** A bug of ours. */
    crashed: (error: unknown) => log.error({ err: error }, 'request failed'),
  }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error)
}
