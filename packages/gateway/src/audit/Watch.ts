import { createHash } from 'node:crypto'
import type { Clock } from '@counterfoil/chain'
import {
  type Audit,
  AuditPage,
  type Bytes,
  Decode,
  type Job,
  type Key,
  Network,
  type P256,
  type Policy,
  type Verdict,
} from '@counterfoil/protocol'
import type { Database } from '../Database.ts'
import { type Events, reasonOf } from '../events.ts'
import type { AuditChain } from './AuditChain.ts'
import * as AuditorClient from './AuditorClient.ts'
import * as Book from './Book.ts'
import * as Bundles from './Bundles.ts'
import * as Findings from './Findings.ts'
import * as Params from './Params.ts'
import * as Standing from './Standing.ts'
import * as Store from './Store.ts'
import type { Auditor, Trust } from './Trust.ts'

/** What the auditors that this gateway trusts have found so far, as the gateway itself acts on it: at once and exactly. */
export type Watch = {
  readonly trust: Trust
  /** What was kept from earlier runs; before the door opens. */
  load(): Promise<void>
  /** Reads what is new: commitments from the chain, pages from their auditors, bundles of those convicted. */
  round(): Promise<void>
  /** The same array as long as nothing was folded anew. */
  findings(): readonly Findings.Finding[]
  /** Why a provider may not have this work under this policy. */
  objection(
    offer: Parameters<typeof Standing.objection>[1],
    policy: Policy.Policy,
    job?: Job.Job,
  ): Verdict.Reason | undefined
  /** Numbers of an auditor's commitments that have a page here. */
  numbers(auditor: Bytes.Hex): readonly number[]
}

export type Options = {
  readonly network: Network.Network
  readonly trust: Trust
  readonly database: Database
  readonly chain: AuditChain
  /** Receipt keys and the second of chain time; throw while the chain is away. */
  readonly view: { key(keyId: Bytes.Hex): Promise<Key.ReceiptKey | undefined>; seconds(): number }
  readonly quantization: (model: Bytes.Hex) => string
  readonly p256: P256.P256
  readonly clock: Clock.Clock
  readonly events: Events
  readonly client?: (auditor: Auditor) => AuditorClient.AuditorClient
}

/** How far we are with one auditor. */
type Source = {
  readonly auditor: Auditor
  readonly client: AuditorClient.AuditorClient
  awayUntil: number
  pauseMs: number
}

/**
 * Watches the trusted auditors. A page that does not check is refused by name and counts as sealed; an auditor that does not
 * answer makes histories older, and with them policies unmet.
 * @example const watch = Watch.create(options); await watch.load(); background.every('reading audits', 1_000, watch.round)
 */
export function create(options: Options): Watch {
  const { trust, database, chain, view, clock, events } = options
  const domain = Network.domain(options.network)
  const book: Book.Book = new Map()
  /** Monotonic milliseconds at which a page is looked at again. */
  const due = new Map<number, number>()
  const beacons = new Map<number, Bytes.Hex>()
  /** SHA-256 of the text that was checked last. */
  const seen = new Map<number, string>()
  const sources: readonly Source[] = trust.auditors.map((auditor) => ({
    auditor,
    client: (options.client ?? AuditorClient.create)(auditor),
    awayUntil: 0,
    pauseMs: Params.awayMs,
  }))
  const told = new Set<string>()
  const again = new Map<string, number>()
  let cursor = 0
  let found: readonly Findings.Finding[] = []
  let foldedAt = Number.NEGATIVE_INFINITY
  let foldMs = 0
  let changed = true

  function enter(commitment: Audit.Commitment, page: AuditPage.AuditPage | undefined): void {
    book.set(commitment.number, { commitment, digest: Book.digest(commitment, page, trust) })
    changed = true
  }

  async function readCommitments(): Promise<void> {
    for (;;) {
      const more = await chain.commitments(cursor)
      for (const commitment of more)
        if (sources.some(({ auditor }) => auditor.auditor === commitment.auditor))
          if (!book.has(commitment.number)) enter(commitment, undefined)
      cursor += more.length
      if (more.length < Params.commitmentsPageMax) return
    }
  }

  async function readPages(source: Source): Promise<void> {
    const now = clock.monotonicMs()
    if (source.awayUntil > now) return
    const waiting = [...book.values()]
      .filter(({ commitment, digest }) => commitment.auditor === source.auditor.auditor && !digest.isFinal)
      .map(({ commitment }) => ({ commitment, at: due.get(commitment.number) ?? 0 }))
      .filter(({ at }) => at <= now)
      .sort((a, b) => a.at - b.at)
      .slice(0, Params.pagesPerRoundMax)
      .values()
    const work = async () => {
      for (const { commitment } of waiting) {
        if (source.awayUntil > now) return
        await readPage(source, commitment)
      }
    }
    await Promise.all(Array.from({ length: Params.pagesAtOnceMax }, work))
  }

  async function readPage(source: Source, commitment: Audit.Commitment): Promise<void> {
    const { number } = commitment
    const age = Math.max(0, view.seconds() - commitment.time)
    due.set(number, clock.monotonicMs() + (1_000 * age) / Params.pageAgeShare)
    try {
      const text = await source.client.page(number)
      source.pauseMs = Params.awayMs
      await take(commitment, text)
    } catch (error) {
      if (error instanceof AuditorClient.AwayError) {
        if (source.awayUntil <= clock.monotonicMs())
          events.auditorAway({ auditor: source.auditor.auditor, reason: reasonOf(error) })
        source.awayUntil = clock.monotonicMs() + source.pauseMs
        source.pauseMs = Math.min(2 * source.pauseMs, Params.awayMsMax)
        return
      }
      const code = refusalCode(error)
      if (code === undefined) throw error
      due.set(number, clock.monotonicMs() + Params.refusedAgainMs)
      events.auditPageRefused({
        auditor: source.auditor.auditor,
        number,
        code,
        reason: reasonOf(error),
      })
    }
  }

  async function take(commitment: Audit.Commitment, text: string): Promise<void> {
    const { number } = commitment
    const hash = createHash('sha256').update(text).digest('hex')
    if (seen.get(number) === hash) return
    const before = await Store.page(database, domain, number)
    const fresh = AuditPage.fromJson(JSON.parse(text))
    const beacon = beacons.get(number) ?? before?.beacon ?? (await chain.beacon(commitment))
    if (beacon !== undefined) beacons.set(number, beacon)
    const keys = await Promise.all(AuditPage.keyIds(fresh).map((id) => view.key(id)))
    await AuditPage.check(fresh, {
      domain,
      commitment,
      beacon,
      keys: keys.filter((key) => key !== undefined),
      p256: options.p256,
    })
    const page = before ? Book.merge(before.page, fresh) : fresh
    if (beacon === undefined) return
    await Store.keepPage(database, { commitment, beacon, page })
    enter(commitment, page)
    seen.set(number, hash)
  }

  function fold(seconds: number): void {
    const now = clock.monotonicMs()
    const { quantization } = options
    // A manifest that was read meanwhile says how far honest runtimes may stray.
    const isStale = found.some((one) => quantization(one.calibration.model) !== one.quantization)
    if (!changed && !isStale && now - foldedAt < Params.findingsFreshMs) return
    // Long histories take their time: the rest of it belongs to those who ask.
    if (now - foldedAt < Params.foldRest * foldMs) return
    found = Findings.fold(book, trust, { seconds, quantization })
    changed = false
    foldedAt = clock.monotonicMs()
    foldMs = foldedAt - now
    for (const finding of found) {
      const name = `${finding.provider} ${finding.calibration.model} ${finding.calibration.runtime}`
      if (!Findings.conviction(finding) || told.has(name)) continue
      told.add(name)
      events.convicted({
        provider: finding.provider,
        model: finding.calibration.model,
        answers: finding.record.answers,
        tokens: finding.record.tokens,
        ...(finding.standing.use === 'advise' && { advisory: finding.standing.reason }),
      })
    }
  }

  return {
    trust,
    async load() {
      for await (const { commitment, beacon, page } of Store.pages(database, domain)) {
        if (!sources.some(({ auditor }) => auditor.auditor === commitment.auditor)) continue
        beacons.set(commitment.number, beacon)
        enter(commitment, page)
      }
      // Convictions do not depend on the time; the chain may be away still.
      fold(Math.floor(clock.now() / 1000))
      changed = true
    },
    async round() {
      if (sources.length === 0) return
      await readCommitments()
      await Promise.all(sources.map(readPages))
      fold(view.seconds())
      await Bundles.collect({ database, domain, book, sources, clock, again, events }, found)
    },
    findings: () => found,
    objection: (offer, policy, job) => Standing.objection(found, offer, policy, () => view.seconds(), job),
    numbers: (auditor) =>
      [...book.values()]
        .filter(({ commitment, digest }) => commitment.auditor === auditor && digest.subjects.length > 0)
        .map(({ commitment }) => commitment.number)
        .sort((a, b) => a - b),
  }
}

/** By which name a page is refused; nothing where that was not the page's fault. */
function refusalCode(error: unknown): string | undefined {
  if (error instanceof AuditPage.AuditError || error instanceof Book.ContradictionError) return error.code
  if (error instanceof Decode.DecodeError) return error.code
  if (error instanceof SyntaxError) return 'syntax'
  if (error instanceof AuditorClient.TooLargeError) return 'too-large'
  if (error instanceof AuditorClient.MissingError) return 'missing'
  return undefined
}
