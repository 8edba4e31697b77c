import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Calibration, CalibrationRecords } from '@counterfoil/protocol'
import { describe, expect, onTestFinished, test } from 'vitest'
import { all } from '../../lab/behaviours/all.ts'
import * as Calibrate from '../../lab/Calibrate.ts'
import * as Params from '../../lab/Params.ts'
import * as Recording from '../../lab/Recording.ts'
import * as Row from '../../lab/Row.ts'

const names = all.map((one) => one.name)
const { recordings, calibration } = Row.load(names)
const rows = Row.all(recordings, calibration, Params.quick)
const row = (name: string) => {
  const found = rows.find((one) => one.name === name)
  if (!found) throw new Error(`no row ${name}`)
  return found
}

describe('recordings', () => {
  test.each(names)('the bytes of %s are those of its header, 8 a token', (name) => {
    const { header, answers } = Recording.read(name)
    const bytes = readFileSync(new URL(`../../lab/recordings/${name}.bin`, import.meta.url))
    expect(bytes.length).toBe(8 * header.tokens)
    expect(answers.flat().length).toBe(header.tokens)
    expect([header.answerTokens.length, header.promptTokens.length, header.strata.length]).toEqual(
      Array(3).fill(header.answers),
    )
  })

  test('one changed bit is found', () => {
    const dir = mkdtempSync(join(tmpdir(), 'lab-'))
    onTestFinished(() => rmSync(dir, { recursive: true }))
    const from = (file: string) => new URL(`../../lab/recordings/${file}`, import.meta.url)
    copyFileSync(from('q4_0.json'), join(dir, 'q4_0.json'))
    const bytes = readFileSync(from('q4_0.bin'))
    bytes[8] = (bytes[8] ?? 0) ^ 1
    writeFileSync(join(dir, 'q4_0.bin'), bytes)
    const folder = pathToFileURL(`${dir}/`)
    expect(() => Recording.read('q4_0', folder)).toThrow(Recording.RecordingDamagedError)
  })

  test('the calibration is what the honest records give, from one machine: for advice only, and openly so', () => {
    const lab = Calibration.standing(calibration, { quantization: 'Q4_1', machinesMin: 1 })
    expect(lab.use).toBe('advise')
    expect(Calibration.standing(calibration, { quantization: 'Q4_1', machinesMin: 2 }).use).toBe('refuse')
    const calibrating = recordings.filter((one) => Params.calibrating.includes(one.header.name))
    expect(CalibrationRecords.matches(calibration, Calibrate.runs(calibrating))).toBe(true)
  })

  test('a calibration takes honest recordings of one runtime pair only', () => {
    const pick = (...wanted: string[]) => recordings.filter((one) => wanted.includes(one.header.name))
    expect(() => Calibrate.calibrate([], { created: 0 })).toThrow('at least one')
    expect(() => Calibrate.calibrate(pick('q4_0'), { created: 0 })).toThrow("cheat's")
    expect(() => Calibrate.calibrate(pick('honest', 'honest-other-backend'), { created: 0 })).toThrow(
      'runtime pair',
    )
  })
})

describe('bars', () => {
  test.each(Object.entries(Params.bars))('%s is convicted within %i answers', (name, bar) => {
    const { fresh, late } = row(name)
    expect(fresh?.answersMedian).toBeLessThanOrEqual(bar)
    expect(late?.answersMedian).toBeLessThanOrEqual(Params.lateFactor * bar)
  })

  test.each(names.filter((name) => name.startsWith('honest')))('no run of %s goes above 100', (name) => {
    expect(row(name).peak).toBeLessThanOrEqual(Params.honestMax)
  })

  test('the honest tokens are enough for the mean that the bars are stated for', () => {
    expect(calibration.tokens).toBeGreaterThanOrEqual(Params.honestTokensMin)
    expect(calibration.mu0).toBeLessThanOrEqual(Params.meanMaxPpm)
  })

  test('an audit costs at most 1.3 times generating', () => {
    expect(row('honest').cost).toBeLessThanOrEqual(Params.costMax)
  })
})
