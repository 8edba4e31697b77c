import {
  type Beacon,
  BeaconError,
  type Chain,
  Audits as Chained,
  connect,
  Drand,
  Keys,
  Prevrandao,
} from '@counterfoil/chain'
import {
  type Audit,
  AuditHistory,
  AuditPage,
  AuditParams,
  type Audits,
  type Bytes,
  Calibration,
  Decode,
  type History,
  type Key,
  ModelManifest,
  Network,
  type P256,
  SampledParams,
  TrackRecord,
} from '@counterfoil/protocol'
import { ChainError } from './ChainEvidence.ts'
import { fetchJson, GatewayError } from './Gateway.ts'
import * as Params from './Params.ts'
import { webCryptoP256 } from './WebCryptoP256.ts'

/** An auditor whose findings are believed, and where they are read: at its own address, or at a gateway that has them too. */
export type TrustedAuditor = {
  /** Without `/v1`. Pages are not signed: whoever serves them is believed about the statistics in them. */
  readonly url: string
  readonly auditor: Bytes.Hex
  /** A reader's token shows what was found at once; without one it is a day old. */
  readonly token?: string | undefined
  /** Its weight among the auditors, in any unit; 1 where it is left out. */
  readonly stake?: number | undefined
}

export type AuditOptions = {
  readonly auditors: readonly TrustedAuditor[]
  /** Judge by these alone; left out, by those that the auditors themselves judge by. */
  readonly calibrations?: readonly Calibration.Calibration[] | undefined
  /** Machines that a calibration must come from: 2, or 1 in a lab, openly. */
  readonly machinesMin?: number | undefined
  /** What decided the commitments: by default drand, on development chains `prevrandao`. */
  readonly beacon?: Beacon | undefined
  readonly fetch?: typeof fetch | undefined
  readonly p256?: P256.P256 | undefined
  /** Told of each page or calibration that was refused or could not be had; it counts as not shown. */
  readonly onProblem?: ((problem: Error) => void) | undefined
}

/** Whose audits, and how its model's weights are written, if that is known. */
export type AuditsAbout = Pick<AuditHistory.Subject, 'provider' | 'model' | 'runtime'> & {
  /** The model's manifest as somebody showed it; believed only where its digest is the model's id. */
  readonly manifest?: unknown
}

/** Reads {@link Audits} of a provider on a network; a port, so that caches and tests can stand in. */
export type ReadAudits = (network: Network.Network, about: AuditsAbout) => Promise<Audits | undefined>

/**
 * Reads what the auditors that you trust have found, each page checked against its commitment on chain, the beacon and the
 * receipt keys. What they do not show counts as not found. Remembers what it has checked.
 * @throws {ChainError} when the chain cannot be read.
 * @example
 * const readAudits = auditReader({ auditors: [{ url: 'https://auditor.example', auditor: '0x…' }] })
 * const report = await check(transcript, { network, audits: readAudits, policy: { least: 'sampled' }, now: Date.now() })
 */
export function auditReader(options: AuditOptions): ReadAudits {
  const memory = new Map<string, Memory>()
  return async (network, about) => {
    const domain = Network.domain(network)
    const known = memory.get(domain) ?? {
      commitments: [],
      pages: new Map(),
      keys: new Map(),
      readAt: undefined,
    }
    memory.set(domain, known)
    const chain = connect(network)
    try {
      await refresh(known, { options, network, chain })
    } catch (cause) {
      throw cause instanceof ChainError ? cause : new ChainError(network, cause)
    }
    const calibrations = options.calibrations ?? (await calibrationsOf(options, about))
    return select(known, { options, about, domain, calibrations })
  }
}

type Seen = {
  readonly commitment: Audit.Commitment
  readonly page: AuditPage.AuditPage
  readonly isFinal: boolean
}
type Memory = {
  commitments: readonly Audit.Commitment[]
  readonly pages: Map<number, Seen>
  readonly keys: Map<Bytes.Hex, Key.ReceiptKey>
  /** Monotonic milliseconds. */
  readAt: number | undefined
}
type Via = { readonly options: AuditOptions; readonly network: Network.Network; readonly chain: Chain }

async function refresh(known: Memory, via: Via): Promise<void> {
  const now = performance.now()
  if (known.readAt !== undefined && now - known.readAt < Params.auditsFreshMs) return
  const { chain } = via
  const more = await Chained.list(chain, (known.commitments.at(-1)?.number ?? -1) + 1, { at: 'finalized' })
  known.commitments = [...known.commitments, ...more]
  for (const trusted of via.options.auditors) {
    let isAway = false
    const onProblem = (problem: Error) => {
      // Told once, and not asked for everything else as well.
      if (isAway) return
      isAway = problem instanceof GatewayError && problem.status === undefined
      via.options.onProblem?.(problem)
    }
    const options = { ...via.options, onProblem }
    const due = own(known, trusted)
      .filter(({ number }) => !known.pages.get(number)?.isFinal)
      .values()
    const work = async () => {
      for (const commitment of due)
        if (!isAway) await readPage(known, commitment, trusted, { ...via, options })
    }
    await Promise.all(Array.from({ length: Params.pagesAtOnceMax }, work))
  }
  known.readAt = now
}

/** The newest commitments of an auditor: an old conviction may be missing from them, a false one cannot be made. */
function own(known: Memory, { auditor }: TrustedAuditor): readonly Audit.Commitment[] {
  return known.commitments.filter((one) => one.auditor === auditor).slice(-Params.commitmentsMax)
}

async function readPage(
  known: Memory,
  commitment: Audit.Commitment,
  trusted: TrustedAuditor,
  { options, network, chain }: Via,
): Promise<void> {
  const page = await attempt(options, async () =>
    AuditPage.fromJson(
      await ask(options, trusted, `/v1/commitments/${commitment.number}`, AuditParams.pageBytesMax),
    ),
  )
  if (!page) return
  if (page.leaves.every((leaf) => leaf.state === 'sealed')) return
  const beacon = await attempt(options, () => beaconOf(options, chain).of(commitment))
  for (const keyId of AuditPage.keyIds(page)) {
    const key = known.keys.get(keyId) ?? (await Keys.read(chain, keyId))
    if (key) known.keys.set(keyId, key)
  }
  await attempt(options, async () => {
    const keys = [...known.keys.values()]
    const p256 = options.p256 ?? webCryptoP256()
    await AuditPage.check(page, { domain: Network.domain(network), commitment, beacon, keys, p256 })
    const isFinal = page.leaves.every((leaf) => leaf.state !== 'sealed')
    known.pages.set(commitment.number, { commitment, page, isFinal })
  })
}

/** What auditors show and do not show is their affair; that the chain is away is ours. */
async function attempt<T>(options: AuditOptions, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    const isTheirs =
      error instanceof GatewayError ||
      error instanceof Decode.DecodeError ||
      error instanceof AuditPage.AuditError ||
      error instanceof BeaconError
    if (!isTheirs) throw error
    options.onProblem?.(error)
    return undefined
  }
}

function beaconOf({ beacon }: AuditOptions, chain: Chain): Beacon {
  if (beacon) return beacon
  return chain.network.chainId === developmentChainId
    ? Prevrandao.create(chain)
    : Drand.create({ relays: Params.drandRelays, now: () => Date.now() })
}

/** anvil's. */
const developmentChainId = 31_337

/** The calibrations by which the auditors judge this provider on this model. */
async function calibrationsOf(
  options: AuditOptions,
  { provider, model }: AuditsAbout,
): Promise<readonly Calibration.Calibration[]> {
  const found = new Map<Bytes.Hex, Calibration.Calibration>()
  for (const trusted of options.auditors) {
    const named = await attempt(options, async () => {
      const list = await ask(options, trusted, '/v1/histories', Params.listBytesMax)
      return readHistories(list, '$')
    })
    for (const one of named ?? []) {
      if (one.provider !== provider || one.model !== model || found.has(one.calibration)) continue
      const calibration = await attempt(options, async () => {
        const path = `/v1/calibrations/${one.calibration}`
        const read = Calibration.decode(await ask(options, trusted, path, Params.listBytesMax))
        if (Calibration.id(read) !== one.calibration)
          throw new GatewayError(
            trusted.url + path,
            200,
            undefined,
            `it is calibration ${Calibration.id(read)}`,
          )
        return read
      })
      if (calibration) found.set(one.calibration, calibration)
    }
  }
  return [...found.values()]
}

const readHistories = (value: unknown, at: string) => {
  const { histories } = (value ?? {}) as { readonly histories?: unknown }
  return Decode.array((one, place) => {
    const { provider, model, calibration } = (one ?? {}) as Record<string, unknown>
    return {
      provider: Decode.address(provider, `${place}.provider`),
      model: Decode.digest(model, `${place}.model`),
      calibration: Decode.digest(calibration, `${place}.calibration`),
    }
  }, Params.historiesMax)(histories, `${at}.histories`)
}

/** The process that decides: one that convicts, whatever came later, else that of the newest calibration. */
function select(
  known: Memory,
  about: {
    readonly options: AuditOptions
    readonly about: AuditsAbout
    readonly domain: Bytes.Hex
    readonly calibrations: readonly Calibration.Calibration[]
  },
): Audits | undefined {
  const { options, domain } = about
  const { provider, manifest } = about.about
  const machinesMin = options.machinesMin ?? 2
  const quantization = quantizationOf(about.about.model, manifest)
  const stakes = [
    { fromCommit: 0, stakes: new Map(options.auditors.map(({ auditor, stake = 1 }) => [auditor, stake])) },
  ]
  const all = AuditHistory.terms(about.calibrations, about.about).map(({ calibration, until }) => {
    const checked = options.auditors.flatMap((trusted) =>
      own(known, trusted).map(
        (commitment) => known.pages.get(commitment.number) ?? sealed(commitment, domain),
      ),
    )
    const entries = AuditHistory.entries(checked, { provider, calibration, until })
    const record = TrackRecord.fold(entries, {
      calibration,
      stakes,
      now: 0,
      windowSeconds: SampledParams.auditWindowSeconds,
    })
    const { use } = Calibration.standing(calibration, { quantization, machinesMin })
    return { calibration, entries, convicts: use !== 'refuse' && record.convictedAt !== undefined }
  })
  const found = all.find((one) => one.convicts) ?? all.at(-1)
  if (!found) return undefined
  const { calibration, entries } = found
  const head = {
    schema: 'counterfoil/history/1' as const,
    ...{ domain, provider, model: calibration.model, calibration: Calibration.id(calibration) },
  }
  const pages = Array.from(
    { length: Math.ceil(entries.length / SampledParams.historyEntriesMax) },
    (_, i): History.History => ({
      ...head,
      entries: entries.slice(i * SampledParams.historyEntriesMax, (i + 1) * SampledParams.historyEntriesMax),
    }),
  )
  return { pages, calibration, stakes, quantization, machinesMin }
}

/** A commitment that nobody has shown a good page of. */
function sealed(commitment: Audit.Commitment, domain: Bytes.Hex): AuditHistory.Checked {
  const leaf = { state: 'sealed', leaf: commitment.root } as const
  const leaves = Array.from({ length: commitment.count }, () => leaf)
  return {
    commitment,
    page: { schema: 'counterfoil/audit-page/1', domain, number: commitment.number, leaves },
  }
}

/** The strictest bound holds where nobody shows the manifest. */
function quantizationOf(model: Bytes.Hex, manifest: unknown): string {
  if (manifest === undefined) return ''
  try {
    const read = ModelManifest.decode(manifest)
    return ModelManifest.id(read) === model ? read.quantization : ''
  } catch (error) {
    if (error instanceof Decode.DecodeError) return ''
    throw error
  }
}

function ask(
  options: AuditOptions,
  { url, auditor, token }: TrustedAuditor,
  path: string,
  bytesMax: number,
): Promise<unknown> {
  const via = {
    ...(options.fetch && { fetch: options.fetch }),
    ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
  }
  return fetchJson(via, `${url.replace(/\/+$/, '')}${path}?auditor=${auditor}`, bytesMax)
}
