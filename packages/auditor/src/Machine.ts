import { arch, cpus, platform } from 'node:os'
import { Bytes, Digest } from '@counterfoil/protocol'

/** What of a machine moves a logit: its processor. Names no owner and no place. */
export function describe(): string {
  return `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${arch()}, ${platform()}`
}

/** What a calibration calls this machine: SHA-256 of its description. */
export function digest(description: string): Bytes.Hex {
  return Bytes.toHex(Digest.sha256(Bytes.fromText(description)))
}
