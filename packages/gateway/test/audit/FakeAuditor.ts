import { createHash, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  Audit,
  AuditBundle,
  AuditHistory,
  AuditPage,
  Bytes,
  type Calibration,
  CalibrationRecords,
  Claim,
  Nonce,
  P256,
  Statistic,
  Trace,
} from '@counterfoil/protocol'
import type { AuditChain } from '../../src/audit/AuditChain.ts'
import type { FakeProvider } from '../FakeProvider.ts'

// Serves pages and bundles over real HTTP in the real codecs, signed by fake providers; only the scoring is missing: it says
// of each answer what a test tells it to. Its commitments and their beacon are what a chain would show.

export const address: Bytes.Hex = `0x${'cd'.repeat(20)}`
export const token = 'a-reader-token-of-24-chars'
const runtime = digest('runtime')
const answerTokens = 64

export type FakeAuditor = {
  readonly url: string
  readonly chain: AuditChain
  /** Commits to one answer of each kind, in order, and opens all of them. Returns the commitment's number. */
  audit(provider: FakeProvider, kinds: readonly ('clean' | 'false')[], at?: Partial<Place>): number
  /** What is served in the place of a page. */
  replaced: Map<number, string>
  /** Paths that were asked for. */
  readonly asked: string[]
  /** While it holds, every request is answered with a broken connection. */
  away: boolean
  claims(number: number): readonly Bytes.Hex[]
  page(number: number): AuditPage.AuditPage
  close(): Promise<void>
}

type Place = { readonly time: number; readonly openedAt: number; readonly auditor: Bytes.Hex }
type Held = { readonly commitment: Audit.Commitment; readonly page: AuditPage.AuditPage }

export async function create(): Promise<FakeAuditor> {
  const held: Held[] = []
  const bundles = new Map<Bytes.Hex, unknown>()
  let sequence = 1_000n
  const server = createServer((request, response) => {
    const { url = '', headers } = request
    self.asked.push(url)
    if (self.away) return void request.socket.destroy()
    const send = (status: number, body: string) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(body)
    if (headers.authorization !== `Bearer ${token}`) return void send(401, '{}')
    const number = Number(/^\/v1\/commitments\/(\d+)$/.exec(url)?.[1])
    const bundle = bundles.get(url.slice('/v1/bundles/'.length) as Bytes.Hex)
    if (bundle !== undefined) return void send(200, JSON.stringify(bundle))
    const one = held[number]
    if (!one) return void send(404, '{}')
    send(200, self.replaced.get(number) ?? JSON.stringify(AuditPage.toJson(one.page)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const self: FakeAuditor = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    chain: {
      commitments: async (from) => held.slice(from).map(({ commitment }) => commitment),
      beacon: async ({ number }) => beaconOf(number),
    },
    replaced: new Map(),
    asked: [],
    away: false,
    audit(provider, kinds, at = {}) {
      const number = held.length
      const now = Math.floor(Date.now() / 1000)
      const made = kinds.map((kind, leaf) => {
        const secret = usedSecret(number, leaf)
        const audit = Audit.decode({
          schema: 'counterfoil/audit/1',
          language: 'en',
          job: jobOf(provider, leaf),
        })
        sequence += 1n
        return { ...open({ provider, secret, audit, number, kind, sequence }), openedAt: at.openedAt ?? now }
      })
      const leaves = made.map(({ secret, audit }) => Audit.leaf({ secret, audit: Audit.digest(audit) }))
      const commitment: Audit.Commitment = {
        number,
        auditor: at.auditor ?? address,
        epoch: BigInt(number),
        root: Audit.root(leaves),
        count: leaves.length,
        blockNumber: BigInt(number),
        time: at.time ?? now,
      }
      const { domain } = provider.key
      held.push({ commitment, page: { schema: 'counterfoil/audit-page/1', domain, number, leaves: made } })
      made.forEach((leaf, i) => {
        const { claim } = leaf.receipt
        const path = Audit.prove(leaves, i)
        bundles.set(Claim.id(claim), bundleOf(leaf, { domain, number, leaf: i, path, provider }))
      })
      return number
    },
    page: (number) => held[number]?.page ?? missing(number),
    claims: (number) =>
      (held[number]?.page.leaves ?? []).flatMap((leaf) =>
        leaf.state === 'opened' ? [Claim.id(leaf.receipt.claim)] : [],
      ),
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
  return self
}

/** As if 40,000 honest tokens of the fake runtime had shown no excess. */
export function calibration({ model }: Pick<FakeProvider, 'model'>): Calibration.Calibration {
  const made = calibrations.get(model) ?? calibrate(model)
  calibrations.set(model, made)
  return made
}
const calibrations = new Map<Bytes.Hex, Calibration.Calibration>()

function calibrate(model: Bytes.Hex): Calibration.Calibration {
  const clean = { first: 0, second: 0, spread: 0, logprob: 0 }
  return CalibrationRecords.fit(
    [{ machine: digest('machine'), answers: Array.from({ length: 800 }, () => Array(50).fill(clean)) }],
    { model, runtime, references: [digest('first'), digest('second')], created: 1_700_000_000 },
  )
}

function open(about: {
  readonly provider: FakeProvider
  readonly secret: Bytes.Hex
  readonly audit: Audit.Audit
  readonly number: number
  readonly kind: 'clean' | 'false'
  readonly sequence: bigint
}): AuditPage.Opened {
  const { provider, secret, audit, sequence } = about
  const nonce = Audit.nonce(secret, beaconOf(about.number))
  const ms = Date.now()
  const claim: Claim.Claim = {
    ...{ domain: provider.key.domain, provider: provider.address, keyId: provider.key.keyId },
    ...{ sequence, epoch: 1n, model: provider.model, runtime, offer: digest('offer') },
    request: Audit.request(audit, nonce),
    ...{ answer: digest('answer'), trace: Bytes.zero32, channel: digest('channel'), amount: 1n },
    usage: { promptTokens: 12, cachedTokens: 0, outputTokens: answerTokens },
    finish: 'length',
    time: { started: ms, firstToken: ms, ended: ms },
    ...{ parents: Bytes.zero32, evidence: Bytes.zero32 },
  }
  const signature = Bytes.toHex(
    P256.toLowS(sign('sha256', Claim.encode(claim), { key: provider.privateKey, dsaEncoding: 'ieee-p1363' })),
  )
  const margin = about.kind === 'clean' ? 0 : 40_000
  const statistic = { first: margin, second: margin, spread: 0, logprob: 0 }
  return {
    ...{ state: 'opened', secret, audit, gateway: address, openedAt: 0 },
    receipt: { claim, signature, evidence: [] },
    statistics: Statistic.toHex(Array(answerTokens).fill(statistic)),
  }
}

/** What a gateway checks of a bundle is real; answer, trace and offer in it are nobody's. */
function bundleOf(
  leaf: AuditPage.Opened,
  at: {
    readonly domain: Bytes.Hex
    readonly number: number
    readonly leaf: number
    readonly path: readonly Bytes.Hex[]
    readonly provider: FakeProvider
  },
): unknown {
  const { secret, audit, statistics, receipt } = leaf
  const { provider, ...place } = at
  const beacon = beaconOf(at.number)
  const nonce = Audit.nonce(secret, beacon)
  const of = calibration(provider)
  return AuditBundle.toJson({
    ...{ schema: 'counterfoil/audit-bundle/1', ...place, secret, audit, beacon, statistics },
    x: AuditHistory.x(leaf, of.logprobFactor),
    calibration: of,
    transcript: {
      receipt,
      job: Audit.job(audit, nonce),
      output: {
        schema: 'counterfoil/output/1',
        choices: [{ message: { role: 'assistant', content: 'Tokyo' }, finish: 'length' }],
        usage: receipt.claim.usage,
      },
      salts: Nonce.salts(nonce),
      trace: Trace.encode([[{ id: 1, logprob: -1 }]]),
      offer: {
        signature: `0x${'11'.repeat(64)}`,
        offer: {
          ...{ domain: at.domain, provider: provider.address, keyId: provider.key.keyId },
          ...{ model: provider.model, runtime },
          prices: provider.prices,
          limits: provider.limits,
          validity: { notBefore: 0, notAfter: 1 },
          flags: { trace: true },
        },
      },
      nonceFrom: 'caller',
    },
  })
}

function jobOf(provider: FakeProvider, i: number) {
  return {
    schema: 'counterfoil/job/1',
    model: provider.model,
    messages: [{ role: 'user', content: `Question ${i}` }],
    ...{ maxTokens: answerTokens, temperature: 1, topP: 1, stop: [], logprobs: false, topLogprobs: 0 },
  }
}

/** Half of all secrets are selected; this one is. */
function usedSecret(number: number, leaf: number): Bytes.Hex {
  for (let i = 0; ; i++) {
    const secret = digest(`secret ${number} ${leaf} ${i}`)
    if (Audit.isUsed(secret, beaconOf(number))) return secret
  }
}

function beaconOf(number: number): Bytes.Hex {
  return digest(`beacon ${number}`)
}

function digest(text: string): Bytes.Hex {
  return `0x${createHash('sha256').update(text).digest('hex')}`
}

function missing(number: number): never {
  throw new RangeError(`there is no commitment ${number}`)
}
