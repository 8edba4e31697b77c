import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectWallet } from '@counterfoil/chain'
import { type Bytes, Calibration, type Network, ProviderHttp } from '@counterfoil/protocol'
import * as Params from './Params.ts'
import * as Ports from './Ports.ts'
import * as Secrets from './Secrets.ts'
import * as State from './State.ts'

// What an auditor of a development network and those who trust it share in a home: auditors.json, calibrations/.

/** An auditor as gateways, the SDK and the command line are told whom to trust (`auditors.json`). */
export type Trusted = { readonly url: string; readonly auditor: Bytes.Hex; readonly token: string }

/** How far a gateway of a development network trusts: one machine and a chain whose blocks are our own, enough to watch. */
export const developmentTrust = {
  GATEWAY_MACHINES_MIN: '1',
  GATEWAY_AUDIT_DELAY_SECONDS: '0',
  GATEWAY_BEACON: 'prevrandao',
}

/** Where a home says which auditors it trusts. */
export function auditorsPath(home: string): string {
  return join(home, 'auditors.json')
}

export function writeAuditors(home: string, auditors: readonly Trusted[]): string {
  const path = auditorsPath(home)
  State.write(path, `${JSON.stringify(auditors, null, 2)}\n`)
  return path
}

/**
 * The folder of a home's calibrations, with one for each runtime on offer: where nobody has made one with `foil calibrate`,
 * the development calibration stands in. It was measured on one machine and one kind of processor, so whatever it says is
 * `advisory`, and where a processor strays further than that one did it may be wrong.
 */
export async function calibrations(
  home: string,
  { endpoints, model }: { readonly endpoints: readonly string[]; readonly model: Bytes.Hex },
): Promise<string> {
  const dir = join(home, 'calibrations')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const known = readdirSync(dir)
    .filter((name) => name.endsWith('.json'))
    .map((name) => Calibration.decode(JSON.parse(readFileSync(join(dir, name), 'utf8'))))
  const offered = await Promise.all(endpoints.map((endpoint) => runtimesAt(endpoint, model)))
  for (const runtime of new Set(offered.flat())) {
    if (known.some((one) => one.model === model && one.runtime === runtime)) continue
    const standIn = Calibration.decode({ ...development(), model, runtime })
    State.write(
      join(dir, `development-${runtime.slice(2, 18)}.json`),
      `${JSON.stringify(standIn, null, 2)}\n`,
    )
  }
  return dir
}

/** As the lab's honest recordings gave it (`lab/development.ts`). */
export function development(): Calibration.Calibration {
  const path = new URL('../calibrations/development.json', import.meta.url)
  return Calibration.decode(JSON.parse(readFileSync(path, 'utf8')))
}

async function runtimesAt(endpoint: string, model: Bytes.Hex): Promise<readonly Bytes.Hex[]> {
  const response = await fetch(new URL(ProviderHttp.paths.offers, endpoint), {
    signal: AbortSignal.timeout(Params.rpcTimeoutMs),
  })
  const { offers } = ProviderHttp.readOffers(await response.json(), '$')
  return offers.flatMap(({ offer }) => (offer.model === model ? [offer.runtime] : []))
}

/** What a gateway is told of the auditor that will be started behind it, and the auditor of itself. */
export type Prepared = {
  readonly file: string
  readonly calibrations: string
  readonly token: string
  readonly port: number
}

/** Chooses where the auditor will listen, and writes down whom to trust and by which calibrations: a gateway needs both. */
export async function prepare(
  home: string,
  about: {
    /** Of the providers of this machine. */
    readonly ports: readonly number[]
    readonly model: Bytes.Hex
    readonly network: Network.Network
  },
): Promise<Prepared> {
  const keys = join(home, 'keys')
  const token = Secrets.apiKey(keys, 'auditor-reader')
  const port = await Ports.free()
  const { account } = connectWallet(about.network, Secrets.privateKey(keys, 'auditor'))
  const auditor = account.address.toLowerCase() as Bytes.Hex
  return {
    ...{ token, port },
    file: writeAuditors(home, [{ url: `http://127.0.0.1:${port}`, auditor, token }]),
    calibrations: await calibrations(home, {
      endpoints: about.ports.map((one) => `http://127.0.0.1:${one}`),
      model: about.model,
    }),
  }
}

/** The environment of the auditor's daemon, without network and store. */
export function environment(
  home: string,
  { port, token, calibrations: dir }: Prepared,
  of: {
    readonly account: { readonly baseURL: string; readonly apiKey: string }
    readonly auditsEach?: number
    readonly spreadSeconds?: number
  },
): Readonly<Record<string, string>> {
  const file = (name: string, text: string) => {
    const path = join(home, name)
    State.write(path, text)
    return path
  }
  return {
    AUDITOR_PORT: String(port),
    AUDITOR_KEY_FILE: join(home, 'keys', 'auditor.key'),
    AUDITOR_ACCOUNTS_FILE: file('auditor-accounts.json', JSON.stringify([of.account])),
    AUDITOR_READERS_FILE: file('auditor-readers', `${token}\n`),
    AUDITOR_CALIBRATIONS: dir,
    AUDITOR_DATA: join(home, 'auditor'),
    AUDITOR_BEACON: 'prevrandao',
    AUDITOR_MACHINES_MIN: '1',
    AUDITOR_FLOOR: String(of.auditsEach ?? Params.auditsEach),
    AUDITOR_SPREAD_SECONDS: String(of.spreadSeconds ?? Params.auditSpreadSeconds),
  }
}
