import type * as Bytes from '../Bytes.ts'
import * as Canonical from '../Canonical.ts'
import * as Decode from '../Decode.ts'
import * as Digest from '../Digest.ts'
import type * as Job from '../Job.ts'
import * as Params from '../Params.ts'
import { historyEntriesMax, languageCharsMax, ppm, processAnswersMax } from './Params.ts'

/** Upper ends of the context buckets in prompt tokens; the last is open. */
export const contexts = ['512', '2048', '8192', '32768', 'more'] as const
/** How tokens were drawn: the highest, from all 64, from a nucleus, or under a mask, bias or penalty. */
export const samplings = ['greedy', 'plain', 'nucleus', 'constrained'] as const

/** What kind of traffic an audit looked like; a verdict covers only strata that were audited. */
export type Strata = {
  readonly context: (typeof contexts)[number]
  readonly language: string
  readonly sampling: (typeof samplings)[number]
  readonly gateway: Bytes.Hex
}

const order = {
  /** Number of the commitment on chain, over all auditors, and the audit's leaf under its root. */
  commit: Decode.integer(0, processAnswersMax - 1),
  leaf: Decode.integer(0, Params.batchLeavesMax - 1),
  auditor: Decode.address,
}

const readOpened = Decode.object({
  state: Decode.literal('opened'),
  ...order,
  claim: Decode.digest,
  tokens: Decode.integer(1, Params.outputTokensMax),
  /** X in millionths, rounded down. */
  x: Decode.integer(0, ppm),
  strata: Decode.object({
    context: Decode.literal(...contexts),
    language: Decode.text(languageCharsMax),
    sampling: Decode.literal(...samplings),
    gateway: Decode.address,
  }),
  /** Second of chain time at which it was opened. */
  openedAt: Decode.integer(0, Number.MAX_SAFE_INTEGER),
})

const readUnopened = Decode.object({ state: Decode.literal('unopened'), ...order })

/** One audit that a commitment bound its auditor to: what it found, or that it was never shown, which counts as X = 0. */
export type Entry = ReturnType<typeof readOpened> | ReturnType<typeof readUnopened>
export type Opened = Extract<Entry, { readonly state: 'opened' }>

const readEntry: Decode.Reader<Entry> = (value, at) => {
  const isUnopened = typeof value === 'object' && value !== null && Reflect.get(value, 'state') === 'unopened'
  return isUnopened ? readUnopened(value, at) : readOpened(value, at)
}

const read = Decode.object({
  schema: Decode.literal('counterfoil/history/1'),
  domain: Decode.digest,
  provider: Decode.address,
  model: Decode.digest,
  calibration: Decode.digest,
  entries: Decode.array(readEntry, historyEntriesMax),
})

/**
 * A page of audits of one provider and model in the order of their commitments, scored under one calibration. Auditors
 * serve theirs; {@link merge} puts pages together and `TrackRecord.fold` reads them.
 */
export type History = ReturnType<typeof read>

/** A page from JSON; entries stand in ascending order of commitment and leaf, no claim twice. */
export function decode(value: unknown): History {
  const history = read(value, '$')
  assertOrder(history.entries, '$.entries')
  return history
}

/** `H("history", JCS(history))` */
export function id(history: History): Bytes.Hex {
  return Digest.ofJson('history', history)
}

/**
 * All audits of several pages, in order. Pages of other providers, models or calibrations, an audit that two pages open
 * differently and a claim under two audits throw {@link Decode.DecodeError}: whoever merges has checked each entry
 * against its commitment, which leaves room for neither. An audit told twice counts once, and opened where one page says
 * so.
 * @example History.merge([mine, theirs])
 */
export function merge(pages: readonly History[]): readonly Entry[] {
  const [first] = pages
  pages.forEach((page, i) => {
    const field = (['domain', 'provider', 'model', 'calibration'] as const).find(
      (name) => page[name] !== first?.[name],
    )
    if (field)
      throw new Decode.DecodeError('range', `$[${i}].${field}`, page[field], `must be ${first?.[field]}`)
  })
  const sorted = pages.flatMap((page) => page.entries).sort((a, b) => compare(a, b) || rank(a) - rank(b))
  const entries = sorted.filter((entry, i) => {
    const previous = sorted[i - 1]
    return previous === undefined || !isCovered(previous, entry)
  })
  assertOrder(entries, '$')
  return entries
}

/** The bucket that a prompt's length falls into. */
export function contextOf(promptTokens: number): Strata['context'] {
  return contexts.find((end) => promptTokens <= Number(end)) ?? 'more'
}

/** How a job has its tokens drawn. */
export function samplingOf(job: Pick<Job.Job, 'temperature' | 'topP'>): Strata['sampling'] {
  if (job.temperature < Params.samplerTemperatureMin) return 'greedy'
  return job.topP < 1 ? 'nucleus' : 'plain'
}

function compare(a: Entry, b: Entry): number {
  return a.commit - b.commit || a.leaf - b.leaf
}

/** Opened before unopened, so that what one page shows covers what another has not heard of. */
function rank(entry: Entry): number {
  return entry.state === 'opened' ? 0 : 1
}

function isCovered(entry: Entry, later: Entry): boolean {
  if (compare(entry, later) !== 0 || entry.auditor !== later.auditor) return false
  return later.state === 'unopened' || Canonical.encode(entry) === Canonical.encode(later)
}

function assertOrder(entries: readonly Entry[], at: string): void {
  const claims = new Set<string>()
  entries.forEach((entry, i) => {
    const previous = entries[i - 1]
    if (previous && compare(previous, entry) === 0)
      throw new Decode.DecodeError('duplicate', `${at}[${i}]`, entry.leaf, 'tells an audit a second time')
    if (previous && compare(previous, entry) > 0)
      throw new Decode.DecodeError(
        'order',
        `${at}[${i}]`,
        entry.commit,
        'must follow in order of commitments',
      )
    if (entry.state !== 'opened') return
    if (claims.has(entry.claim))
      throw new Decode.DecodeError('duplicate', `${at}[${i}].claim`, entry.claim, 'was audited before')
    claims.add(entry.claim)
  })
}
