import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Calibration } from '@counterfoil/protocol'
import * as Params from './Params.ts'

/**
 * Every calibration of a folder, one JSON file each. Nothing is passed over: a file that is none, was changed since it was
 * named by its digest, or is too large is an error, because who takes one away unseen decides who is convicted.
 * @throws {CalibrationsError} naming the file and what is wrong with it.
 * @example const calibrations = readFolder('/srv/counterfoil/calibrations')
 */
export function readFolder(dir: string): readonly Calibration.Calibration[] {
  const names = readdirSync(dir)
    .filter((name) => name.endsWith('.json'))
    .sort()
  if (names.length > Params.calibrationsMax)
    throw new CalibrationsError(
      dir,
      `it holds ${names.length} files, at most ${Params.calibrationsMax} are read`,
    )
  return names.map((name) => read(join(dir, name), name.slice(0, -'.json'.length)))
}

function read(path: string, name: string): Calibration.Calibration {
  const { size } = statSync(path)
  if (size > Params.calibrationBytesMax)
    throw new CalibrationsError(path, `it has ${size} bytes, at most ${Params.calibrationBytesMax} are read`)
  let found: Calibration.Calibration
  try {
    found = Calibration.decode(JSON.parse(readFileSync(path, 'utf8')))
  } catch (cause) {
    throw new CalibrationsError(path, cause instanceof Error ? cause.message : String(cause), { cause })
  }
  const id = Calibration.id(found)
  if (/^0x[0-9a-f]{64}$/.test(name) && name !== id)
    throw new CalibrationsError(path, `its digest is ${id}: it was changed since it was made`)
  return found
}

/** A file that stands among calibrations cannot be used as one. */
export class CalibrationsError extends Error {
  override readonly name = 'CalibrationsError'
  readonly path: string
  constructor(path: string, problem: string, options?: ErrorOptions) {
    super(
      `${path} is no calibration: ${problem}; make it again with foil calibrate, or take it away`,
      options,
    )
    this.path = path
  }
}
