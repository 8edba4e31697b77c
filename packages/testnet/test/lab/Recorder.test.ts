import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Score } from '@counterfoil/protocol'
import { afterAll, describe, expect, test } from 'vitest'
import { all } from '../../lab/behaviours/all.ts'
import * as Honest from '../../lab/behaviours/Honest.ts'
import * as Sampling from '../../lab/behaviours/Sampling.ts'
import * as Weights from '../../lab/behaviours/Weights.ts'
import * as Journal from '../../lab/Journal.ts'
import * as Recorder from '../../lab/Recorder.ts'
import type { Recording } from '../../lab/Recording.ts'
import { fakeLab } from './FakeLab.ts'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})
const newLab = () => {
  const dir = mkdtempSync(join(tmpdir(), 'lab-'))
  folders.push(dir)
  return fakeLab(dir)
}
const options = { machine: 'a processor', log: () => {} }
const meanX = (recording: Recording) =>
  recording.answers.reduce((sum, answer) => sum + Score.answer(answer, 1_000), 0) / recording.answers.length

describe('recording', () => {
  test('honest answers score nothing, each cheat scores in its own way', async () => {
    const lab = newLab()
    const x: Record<string, number> = {}
    for (const behaviour of [
      Honest.same,
      Honest.batching,
      Weights.q4,
      Weights.prefillAttack,
      Sampling.ownNoise,
    ])
      x[behaviour.name] = meanX(await Recorder.record(lab, behaviour, { ...options, tokens: 300 }))
    expect([x.honest, x['honest-batching']]).toEqual([0, 0])
    for (const cheat of ['q4_0', 'prefill-attack', 'own-noise']) expect(x[cheat]).toBeGreaterThan(100_000)
  })

  test('the prefill attack gives the right log-probabilities, Q4_0 its own', async () => {
    const lab = newLab()
    const excess = async (behaviour: typeof Weights.q4) =>
      (await Recorder.record(lab, behaviour, { ...options, tokens: 300 })).answers.flat()
    const [attack, plain] = [await excess(Weights.prefillAttack), await excess(Weights.q4)]
    expect(Math.max(...attack.map((one) => one.logprob))).toBe(0)
    expect(plain.map((one) => one.first)).toEqual(attack.map((one) => one.first))
    expect(plain.filter((one) => one.logprob > 1_000).length).toBeGreaterThan(50)
  })

  test('goes on where a kill ended it, and gives what one run gives', async () => {
    const [whole, killed] = [newLab(), newLab()]
    const expected = await Recorder.record(whole, Weights.q5, { ...options, tokens: 400 })
    await Recorder.record(killed, Weights.q5, { ...options, tokens: 100 })
    appendFileSync(join(killed.dir, 'journal', 'q5_0.jsonl'), '{"i":3,"statis')
    const resumed = await Recorder.record(killed, Weights.q5, { ...options, tokens: 400 })
    expect(resumed.answers).toEqual(expected.answers)
    expect(resumed.header.strata).toEqual(expected.header.strata)
    expect(resumed.header.tokens).toBeGreaterThanOrEqual(400)
  })

  test('never mixes two machines', async () => {
    const lab = newLab()
    await Recorder.record(lab, Weights.q5, { ...options, tokens: 10 })
    const elsewhere = Recorder.record(lab, Weights.q5, { ...options, machine: 'another', tokens: 20 })
    await expect(elsewhere).rejects.toThrow(Journal.CircumstancesError)
  })

  test.each(all)('$name answers jobs', async (behaviour) => {
    const { header } = await Recorder.record(newLab(), behaviour, { ...options, tokens: 60 })
    expect([header.name, header.tokens >= 60, header.answers]).toEqual([
      behaviour.name,
      true,
      header.answerTokens.length,
    ])
  })
})
