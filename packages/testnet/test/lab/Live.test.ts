import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EProcess, SampledParams, Score } from '@counterfoil/protocol'
import { expect, onTestFinished, test } from 'vitest'
import * as Honest from '../../lab/behaviours/Honest.ts'
import * as Sampling from '../../lab/behaviours/Sampling.ts'
import * as Lab from '../../lab/Lab.ts'
import * as Params from '../../lab/Params.ts'
import * as Recorder from '../../lab/Recorder.ts'
import { inherited } from '../../src/config.ts'

// On the real model; no test depends on the speed of the machine.
test('own noise is convicted live within its bar, an honest provider is not', {
  timeout: 600_000,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lab-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const lab = await Lab.open({ dir, env: inherited })
  const audit = async (behaviour: typeof Honest.same, tokens: number) => {
    const { answers } = await Recorder.record(lab, behaviour, { tokens, machine: 'this one', log: () => {} })
    return answers.reduce(
      (process, answer) =>
        EProcess.next(process, { x: Score.answer(answer, 0), mean: SampledParams.meanFloorPpm }),
      EProcess.start,
    )
  }
  const cheat = await audit(Sampling.ownNoise, 200)
  expect(EProcess.value(cheat)).toBeGreaterThanOrEqual(SampledParams.convictionValue)
  expect(cheat.answers).toBeLessThanOrEqual(Params.bars['own-noise'] ?? Number.NaN)
  const honest = await audit(Honest.same, 100)
  expect(EProcess.value(honest)).toBeLessThanOrEqual(Params.honestMax)
})
