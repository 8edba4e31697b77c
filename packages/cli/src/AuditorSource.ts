import { assertHistory, RecheckError, type Retraced, retrace } from '@counterfoil/auditor'
import { Audits, connect, Keys, Time } from '@counterfoil/chain'
import {
  AuditPage,
  AuditParams,
  type Bytes,
  Calibration,
  Decode,
  History,
  type Network,
} from '@counterfoil/protocol'
import { webCryptoP256 } from '@counterfoil/sdk'
import * as Beacon from './Beacon.ts'
import { Failure } from './Failure.ts'
import * as Input from './Input.ts'
import * as Params from './Params.ts'
import * as Quantization from './Quantization.ts'

// What can be rechecked, read from where an auditor serves it; the chain says what it must show.

/** One process as it was found again. */
export type Process = Retraced & {
  readonly calibration: Bytes.Hex
  /** Of the model, by its manifest; empty where nobody shows that. */
  readonly quantization: string
  readonly standing: Calibration.Standing
}

/** What a source stands for: one bundle, or the processes of a history and the bundles of its audits. */
export async function read(
  { home, network }: { readonly home: string; readonly network: Network.Network },
  source: string,
  token: string | undefined,
): Promise<{
  readonly processes: readonly Process[]
  readonly bundles: AsyncIterable<string | undefined> | readonly string[]
}> {
  const get = getter(token)
  const bytesMax = AuditParams.bundleBytesMax
  const isUrl = URL.canParse(source) && /^https?:$/.test(new URL(source).protocol)
  if (!isUrl) return { processes: [], bundles: [await Input.text(source, { bytesMax, what: 'one bundle' })] }
  const base = /^(.*)\/v1\/histories\/0x[0-9a-f]{40}\/0x[0-9a-f]{64}$/.exec(source)?.[1]
  if (base === undefined) return { processes: [], bundles: [await get(source, bytesMax)] }
  const { histories } = json(await get(source, Params.historyBytesMax), source) as { histories?: unknown }
  if (!Array.isArray(histories)) throw new Failure(`${source} sent no histories`, 'check the address')
  const all = histories.map((one) => History.decode(one))
  const claims = all.flatMap(({ entries }) =>
    entries.flatMap((entry) => (entry.state === 'opened' ? [entry.claim] : [])),
  )
  if (claims.length === 0)
    throw new Failure(`${source} has no opened audit`, 'look again later: the public sees audits a day late')
  return {
    processes: await retraceAll(network, { home, base, histories: all, get }),
    bundles: bundlesOf(base, claims, get),
  }
}

/** The bundle of each claim; undefined where it is not served: a gateway keeps those that led to a conviction. */
async function* bundlesOf(
  base: string,
  claims: readonly Bytes.Hex[],
  get: Get,
): AsyncGenerator<string | undefined, void> {
  for (const claim of claims)
    yield await ifThere(get(`${base}/v1/bundles/${claim}`, AuditParams.bundleBytesMax))
}

async function ifThere(text: Promise<string>): Promise<string | undefined> {
  return text.catch((error: unknown) => {
    if (error instanceof Failure && / answered 404: /.test(error.message)) return undefined
    throw error
  })
}

async function retraceAll(
  network: Network.Network,
  {
    home,
    base,
    histories,
    get,
  }: {
    readonly home: string
    readonly base: string
    readonly histories: readonly History.History[]
    readonly get: Get
  },
): Promise<readonly Process[]> {
  const chain = connect(network)
  const beacon = Beacon.of(network)
  const calibrations = await Promise.all(
    histories.map(({ calibration }) => calibrationAt(base, calibration, get)),
  )
  const commitments = await Audits.list(chain, 0, { at: 'finalized' })
  const pages = new Map<number, Promise<AuditPage.AuditPage | undefined>>()
  const page = (number: number) => {
    const found = pages.get(number) ?? pageAt(base, number, get)
    pages.set(number, found)
    return found
  }
  const now = Number(await Time.now(chain))
  const processes: Process[] = []
  for (const [i, history] of histories.entries()) {
    const calibration = calibrations[i]
    if (!calibration) continue
    const auditors = [...new Set(history.entries.map(({ auditor }) => auditor))]
    const later = calibrations.filter(
      ({ runtime, created }) => runtime === calibration.runtime && created > calibration.created,
    )
    const until = later.length > 0 ? Math.min(...later.map(({ created }) => created)) : undefined
    const retraced = await retrace(
      { auditors, provider: history.provider, calibration, until },
      {
        network,
        commitments,
        page,
        beacon: (commitment) => beacon.of(commitment),
        key: (id) => Keys.read(chain, id),
        p256: webCryptoP256(),
        now,
      },
    )
    assertHistory(history, retraced)
    const quantization = await Quantization.of(home, network, history)
    const standing = Calibration.standing(calibration, { quantization, machinesMin: 1 })
    processes.push({ ...retraced, calibration: history.calibration, quantization, standing })
  }
  return processes
}

async function calibrationAt(base: string, id: Bytes.Hex, get: Get): Promise<Calibration.Calibration> {
  const url = `${base}/v1/calibrations/${id}`
  const found = Calibration.decode(json(await get(url, Params.calibrationFileBytesMax), url))
  if (Calibration.id(found) !== id)
    throw new RecheckError('calibration-mismatch', `${url} sent calibration ${Calibration.id(found)}`)
  return found
}

/** A page that is not served counts as sealed, like one whose leaves all are. */
async function pageAt(base: string, number: number, get: Get): Promise<AuditPage.AuditPage | undefined> {
  const url = `${base}/v1/commitments/${number}`
  const text = await ifThere(get(url, AuditParams.pageBytesMax))
  if (text === undefined) return undefined
  try {
    return AuditPage.fromJson(json(text, url))
  } catch (cause) {
    if (!(cause instanceof Decode.DecodeError)) throw cause
    throw new RecheckError('page-invalid', `${url}: ${cause.message}`, { cause })
  }
}

/** Reads an auditor's address, with the token of a reader where there is one. */
type Get = (url: string, bytesMax: number) => Promise<string>

function getter(token: string | undefined): Get {
  const what = "the address of an auditor's own"
  return (url, bytesMax) => Input.get(url, { bytesMax, timeoutMs: Params.auditorTimeoutMs, what, token })
}

function json(text: string, url: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Failure(`${url} did not send JSON`, 'check that it is the address of an auditor')
  }
}
