import {
  type Audit,
  AuditHistory,
  AuditPage,
  type Bytes,
  type Calibration,
  type History,
  type Key,
  Network,
  type P256,
  SampledParams,
  TrackRecord,
} from '@counterfoil/protocol'
import { RecheckError } from './Recheck.ts'

/** Whose audits of whom (each auditor weighs the same), under which calibration; `until` (seconds) where a later one took its place. */
export type Subject = {
  readonly auditors: readonly Bytes.Hex[]
  readonly provider: Bytes.Hex
  readonly calibration: Calibration.Calibration
  readonly until: number | undefined
}

/** The chain and its beacon decide; the auditor is asked for its pages only. */
export type RetracePorts = {
  readonly network: Network.Network
  /** All commitments, from the chain, in order: one that its auditor does not show counts as sealed. */
  readonly commitments: readonly Audit.Commitment[]
  readonly page: (number: number) => Promise<AuditPage.AuditPage | undefined>
  readonly beacon: (commitment: Audit.Commitment) => Promise<Bytes.Hex | undefined>
  readonly key: (keyId: Bytes.Hex) => Promise<Key.ReceiptKey | undefined>
  readonly p256: P256.P256
  /** Seconds of chain time. */
  readonly now: number
}

export type Retraced = {
  readonly commitments: number
  readonly entries: readonly History.Entry[]
  readonly record: TrackRecord.TrackRecord
}

/**
 * Computes the process of one provider again, from its auditors' pages, each checked against the chain. Nobody needs
 * weights for it, and nothing can be left out: what is not shown counts as X = 0.
 * @throws {RecheckError} `page-invalid` for a page that does not follow from its commitment.
 * @example const { record } = await retrace({ auditors: [auditor], provider, calibration, until: undefined }, ports)
 */
export async function retrace(subject: Subject, ports: RetracePorts): Promise<Retraced> {
  const { auditors, provider, calibration, until = Number.POSITIVE_INFINITY } = subject
  const judged = ports.commitments.filter(
    ({ auditor, time }) => auditors.includes(auditor) && time >= calibration.created && time < until,
  )
  const entries: History.Entry[] = []
  for (const commitment of judged) {
    const page = await checked(commitment, ports)
    if (page) entries.push(...AuditHistory.entries([{ page, commitment }], { provider, calibration }))
    else
      for (let leaf = 0; leaf < commitment.count; leaf += 1)
        entries.push({ state: 'unopened', commit: commitment.number, leaf, auditor: commitment.auditor })
  }
  const record = TrackRecord.fold(entries, {
    calibration,
    stakes: [{ fromCommit: 0, stakes: new Map(auditors.map((auditor) => [auditor, 1])) }],
    now: ports.now,
    windowSeconds: SampledParams.auditWindowSeconds,
  })
  return { commitments: judged.length, entries, record }
}

/**
 * Whether a history tells what the pages do: each audit that it says was opened stands there with the same X, strata and
 * time. Audits that were opened since may be missing in it.
 * @throws {RecheckError} `history-mismatch`, naming the audit.
 */
export function assertHistory(history: History.History, { entries }: Retraced): void {
  const found = new Map(entries.map((entry) => [`${entry.commit} ${entry.leaf}`, entry]))
  for (const told of history.entries) {
    const own = found.get(`${told.commit} ${told.leaf}`)
    const isSame =
      told.state === 'unopened'
        ? own !== undefined
        : JSON.stringify(sorted(told)) === JSON.stringify(sorted(own))
    if (!isSame)
      throw new RecheckError(
        'history-mismatch',
        `its history tells of audit ${told.leaf} of commitment ${told.commit} what its page does not`,
      )
  }
}

async function checked(
  commitment: Audit.Commitment,
  ports: RetracePorts,
): Promise<AuditPage.AuditPage | undefined> {
  const page = await ports.page(commitment.number)
  if (!page) return undefined
  const keys = await Promise.all(AuditPage.keyIds(page).map((id) => ports.key(id)))
  try {
    await AuditPage.check(page, {
      domain: Network.domain(ports.network),
      commitment,
      beacon: await ports.beacon(commitment),
      keys: keys.filter((key) => key !== undefined),
      p256: ports.p256,
    })
  } catch (cause) {
    if (!(cause instanceof AuditPage.AuditError)) throw cause
    throw new RecheckError('page-invalid', `commitment ${commitment.number}: ${cause.message}`, { cause })
  }
  return page
}

/** The same fields in the same order, however they were written. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).map(([name, one]) => [name, sorted(one)] as const)
  return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)))
}
