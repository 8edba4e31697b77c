import { Bytes, type Calibration, CalibrationRecords, Digest, Runtime } from '@counterfoil/protocol'
import type { Recording } from './Recording.ts'

/**
 * The calibration that honest recordings of one model and one pair of runtimes give: mu0, the log-probability factor and
 * how it stands. Recordings of one processor model count as one machine. `created` in seconds.
 * @example Calibrate.calibrate([Recording.read('honest')], { created: 1_770_000_000 }).mu0 // 5_000
 */
export function calibrate(
  recordings: readonly Recording[],
  { created }: { readonly created: number },
): Calibration.Calibration {
  const [first] = recordings
  if (!first) throw new RangeError('a calibration needs at least one honest recording')
  const pair = pairOf(first)
  for (const one of recordings) {
    if (one.header.kind !== 'honest')
      throw new RangeError(`${one.header.name} is a cheat's recording: calibrate from honest ones`)
    if (JSON.stringify(pairOf(one)) !== JSON.stringify(pair))
      throw new RangeError(
        `${one.header.name} was recorded on another runtime pair: calibrate each pair by itself`,
      )
  }
  return CalibrationRecords.fit(runs(recordings), { ...pair, created })
}

/** The records that a calibration's digest stands for. */
export function runs(recordings: readonly Recording[]): readonly CalibrationRecords.Run[] {
  const byMachine = new Map<Bytes.Hex, Recording['answers']>()
  for (const { header, answers } of recordings) {
    const machine = Bytes.toHex(Digest.sha256(Bytes.fromText(header.machine)))
    byMachine.set(machine, [...(byMachine.get(machine) ?? []), ...answers])
  }
  return [...byMachine]
    .map(([machine, answers]) => ({ machine, answers }))
    .sort((a, b) => (a.machine < b.machine ? -1 : 1))
}

function pairOf({ header }: Recording) {
  const [first, second] = header.references
  return {
    model: header.model,
    runtime: Runtime.id(header.runtime),
    references: [Runtime.id(first), Runtime.id(second)],
  }
}
