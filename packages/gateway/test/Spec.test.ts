import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Params as HttpParams } from '@counterfoil/http'
import { expect, test } from 'vitest'
import * as ChainParams from '../../chain/src/Params.ts'
import * as AuditParams from '../src/audit/Params.ts'
import * as Params from '../src/Params.ts'

const page = readFileSync(join(import.meta.dirname, '../../../spec/gateway-http.md'), 'utf8')
const { limits } = Params
const s = (ms: number) => ms / 1000
const kibi = (bytes: number) => bytes / 1024
const mebi = (bytes: number) => bytes / 1_048_576
const retentionDays = limits.retentionMs / 86_400_000

/** The numbers of each row of the page's limits, in their order. */
const rows: Readonly<Record<string, readonly number[]>> = {
  body: [mebi(Params.bodyBytesMax)],
  headers: [kibi(Params.headerBytesMax), s(limits.headersMs)],
  'whole request': [s(limits.requestMs)],
  'idle connection': [s(limits.keepAliveMs)],
  connections: [
    ...[limits.connectionsMax, limits.connectionsPerAddressMax],
    ...[Params.connectionsPerKeyMax, HttpParams.pipelinedMax],
  ],
  'an answer that its caller does not take': [s(limits.callerStallMs), s(HttpParams.replyMs) / 60],
  'requests at work': [Params.inFlightPerKeyMax, Params.waitingPerKeyMax, Params.waitingMax],
  'provider: first event': [s(limits.firstEventMs)],
  'provider: between events': [s(limits.eventStallMs)],
  'provider: connections': [Params.providerConnectionsMax],
  'provider: plain answer': [s(limits.providerAnswerMs), mebi(Params.providerAnswerBytesMax)],
  'provider: after its claim': [s(limits.trailingMs)],
  'provider: one event': [
    ...[kibi(Params.eventBytesBase), Params.eventBytesPerToken, Params.eventBytesPerLogprob],
  ],
  '`aborted` claim after a cancellation': [s(limits.abortedClaimMs)],
  'offers, endpoints, channels': [s(limits.refreshMs), s(limits.setAsideMs), Params.offerMarginSeconds],
  'receipt keys': [s(limits.keyCacheMs)],
  'channels known': [Params.channelsMax, s(limits.discoveryMs), Params.discoveryProvidersMax],
  'price of an offer': [10, Math.log10(Number(Params.priceMax))],
  'chain unseen before `unavailable`': [s(limits.chainAwayMs)],
  "this machine's clock": [s(ChainParams.clockApartMs)],
  'database: connection, answer': [
    ...[Params.databaseConnectionsMax, s(limits.databaseMs), s(limits.healthMs)],
  ],
  'transcripts, nonces, jobs, evidence': [retentionDays],
  'slice of a balance (lease)': [Number(Params.leaseAmountMax), s(Params.leaseMs)],
  'auditors, calibrations': [
    ...[AuditParams.auditorsMax, AuditParams.tokenCharsMax, AuditParams.calibrationsMax],
  ],
  'pages and bundles being served': [AuditParams.servedAtOnceMax],
  names: [Params.keyNameCharsMax, Params.modelNameCharsMax],
  "operator's door": [kibi(Params.headerBytesMax), s(Params.adminMs), Params.adminConnectionsMax],
  'running answers when told to stop': [
    ...[s(limits.shutdownMs), s(limits.shutdownCancelMs), s(limits.shutdownPayMs)],
  ],
}

test('the limits on the page are those of the code', () => {
  const [, section = ''] = /\n## Limits\n([\s\S]*?)\n## /.exec(page) ?? []
  const found = [...section.matchAll(/^\| (.*?) \| (.*) \|$/gm)].slice(1).map(([, label = '', text = '']) => {
    const numbers = text.replace('IPv6 /64', '').match(/\d[\d,]*(?:\.\d+)?/g) ?? []
    return [label, numbers.map((number) => Number(number.replaceAll(',', '')))]
  })
  expect(Object.fromEntries(found)).toEqual(rows)
})
