import { type Audits, type Bytes, Calibration, Decode, History, SampledParams } from '@counterfoil/protocol'

// Audits as they were checked, for verifying again without any network: `counterfoil/audits/1`, as JSON.

const pagesMax = 128

const read = Decode.object({
  schema: Decode.literal('counterfoil/audits/1'),
  pages: Decode.array(Decode.nested(History.decode), pagesMax),
  calibration: Decode.nested(Calibration.decode),
  stakes: Decode.array(
    Decode.object({
      fromCommit: Decode.integer(0, Number.MAX_SAFE_INTEGER),
      stakes: Decode.array(
        Decode.object({ auditor: Decode.address, stake: Decode.integer(0, Number.MAX_SAFE_INTEGER) }),
        SampledParams.auditorsMax,
      ),
    }),
    pagesMax,
  ),
  quantization: Decode.text(256),
  machinesMin: Decode.integer(1, SampledParams.calibrationMachinesMax),
})

/** @example writeFileSync('audits.json', JSON.stringify(SavedAudits.toJson(audits))) */
export function toJson(audits: Audits): unknown {
  const stakes = audits.stakes.map(({ fromCommit, stakes: of }) => ({
    fromCommit,
    stakes: [...of].map(([auditor, stake]) => ({ auditor, stake })),
  }))
  return { schema: 'counterfoil/audits/1', ...audits, stakes }
}

/**
 * Audits that you saved yourself: nothing in them is checked against a chain again.
 * @throws {DecodeError} at the place that is wrong.
 */
export function fromJson(value: unknown): Audits {
  const { schema: _, stakes, ...rest } = read(value, '$')
  stakes.forEach(({ stakes: of }, i) => {
    of.forEach(({ auditor }, j) => {
      if (of.findIndex((one) => one.auditor === auditor) !== j)
        throw new Decode.DecodeError(
          'duplicate',
          `$.stakes[${i}].stakes[${j}].auditor`,
          auditor,
          'stands twice',
        )
    })
  })
  return {
    ...rest,
    stakes: stakes.map(({ fromCommit, stakes: of }) => ({
      fromCommit,
      stakes: new Map(of.map(({ auditor, stake }): [Bytes.Hex, number] => [auditor, stake])),
    })),
  }
}
