import { type Bytes, Calibration, Decode, SampledParams } from '@counterfoil/protocol'
import * as Params from './Params.ts'

/** An auditor whose statistics are believed. With one of its reader tokens everything is told as it is found. */
export type Auditor = {
  /** Without `/v1`. */
  readonly url: string
  readonly auditor: Bytes.Hex
  readonly token?: string | undefined
  /** Its weight among the auditors in the half of the process that is theirs, in any unit. */
  readonly stake: number
}

/** On whose word a gateway acts, and how: the operator's choice. */
export type Trust = {
  readonly auditors: readonly Auditor[]
  readonly calibrations: readonly Calibration.Calibration[]
  /** Machines that a calibration must come from to be used: 2 on a network, 1 in a lab, openly. */
  readonly machinesMin: number
  readonly beacon: 'prevrandao' | 'drand-quicknet'
  readonly relays: readonly string[]
  /** How late the public sees what was found, so that no provider can tell which answers were audits. */
  readonly delaySeconds: number
}

export const nobody: Trust = {
  auditors: [],
  calibrations: [],
  machinesMin: 2,
  beacon: 'drand-quicknet',
  relays: [],
  delaySeconds: SampledParams.publicDelaySeconds,
}

const readAuditor = Decode.object(
  { url: Decode.text(512), auditor: Decode.address },
  { token: Decode.text(Params.tokenCharsMax), stake: Decode.integer(0, Number.MAX_SAFE_INTEGER) },
)

/**
 * The auditors of a file: `[{ "url", "auditor", "token"?, "stake"? }]`, a stake of 1 where it is left out.
 * @throws {DecodeError} at the place that is wrong.
 */
export function readAuditors(value: unknown): readonly Auditor[] {
  const list = Decode.array(readAuditor, Params.auditorsMax)(value, '$')
  list.forEach(({ url, auditor }, i) => {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw new Decode.DecodeError('range', `$[${i}].url`, url, 'must be an http or https address')
    if (list.findIndex((one) => one.auditor === auditor) !== i)
      throw new Decode.DecodeError('duplicate', `$[${i}].auditor`, auditor, 'stands twice')
  })
  return list.map(({ url, stake = 1, ...rest }) => ({ ...rest, url: url.replace(/\/+$/, ''), stake }))
}

/** Calibrations by digest: two files with one calibration are one. */
export function distinct(calibrations: readonly Calibration.Calibration[]): Trust['calibrations'] {
  return [...new Map(calibrations.map((one) => [Calibration.id(one), one])).values()]
}
