import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { signals } from '../../src/check/Observation.ts'
import * as Params from '../../src/check/Params.ts'
import * as Replay from './Replay.ts'
import * as Table from './Table.ts'

// What answers of real engines said under the reference weights (record.ts), resampled.
let rows: readonly Replay.Row[] = []
let honest: readonly Replay.Row[] = []
let cheats: readonly Replay.Row[] = []
beforeAll(() => {
  rows = Replay.rows()
  honest = rows.filter(({ subject }) => subject.honest)
  cheats = rows.filter(({ subject }) => !subject.honest)
}, 300_000)

/** Names with figures, so that a failure says which. */
const each = <T>(of: readonly Replay.Row[], figure: (row: Replay.Row) => T) =>
  of.map((row) => [row.subject.name, figure(row)] as const)

describe('the recordings', () => {
  test('are small, and enough of each', () => {
    const sizes = readdirSync(Replay.folder).map((name) => statSync(join(Replay.folder, name)).size)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(500_000)
    expect(honest.flatMap(({ observations }) => observations).length).toBeGreaterThanOrEqual(1_000)
    for (const row of rows)
      expect([row.subject.name, row.observations.length >= (row.subject.honest ? 140 : 4)]).toEqual([
        row.subject.name,
        true,
      ])
  })

  test('are of an engine that is ours and of one that is not, scored under the same weights', () => {
    expect(new Set(honest.map(({ header }) => header.engine.split(' ')[0]))).toEqual(
      new Set(['llama.cpp', 'llama-cpp-python']),
    )
    expect(new Set(rows.map(({ header }) => header.referenceSha256)).size).toBe(1)
    const declared = honest.filter(({ subject }) => subject.weights === 'declared')
    for (const { header } of declared) expect(header.servedSha256).toBe(header.referenceSha256)
  })
})

describe('honest', () => {
  test('a thousand checks: none is called not consistent, and hardly one cannot tell', () => {
    expect(honest.length * Replay.runsEach).toBeGreaterThanOrEqual(1_000)
    for (const found of ['whole', 'bare'] as const) {
      expect(each(honest, (row) => row[found].outcomes['not-consistent'])).toEqual(each(honest, () => 0))
      for (const row of honest)
        expect([row.subject.name, row[found].outcomes.consistent >= 0.99 * Replay.runsEach]).toEqual([
          row.subject.name,
          true,
        ])
    }
  })

  test.each(signals)(
    '%s: the mean is below what the test takes for honest, with a stated chance of error',
    (signal) => {
      expect(Replay.bound(honest, signal)).toBeLessThan(Params.signals[signal].honest)
    },
  )
})

describe('cheats', () => {
  test('every check finds them within 200 requests', () => {
    expect(Params.requestsDefault).toBeLessThanOrEqual(200)
    expect(Params.maxTokensDefault).toBeLessThanOrEqual(50)
    expect(each(cheats, ({ whole }) => whole.outcomes['not-consistent'])).toEqual(
      each(cheats, () => Replay.runsEach),
    )
  })

  test('by text alone too, where the API tells neither usage nor log-probabilities', () => {
    // Where enough answers were recorded to speak of: a few that happen to agree cannot tell anything.
    const enough = cheats.filter(({ observations }) => observations.length >= 20)
    expect(enough.length).toBeGreaterThanOrEqual(8)
    for (const { subject, bare } of enough) {
      // A hidden prompt hardly shows in most answers: at most one check in a hundred may take it for honest.
      expect(bare.outcomes.consistent, subject.name).toBeLessThanOrEqual(0.01 * Replay.runsEach)
      expect([subject.name, bare.outcomes['not-consistent'] >= 0.95 * Replay.runsEach]).toEqual([
        subject.name,
        true,
      ])
    }
  })
})

test('spec/check.md prints what the recordings say', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../spec/check.md'), 'utf8')
  expect(page).toContain(Table.markdown(rows))
  for (const signal of signals) {
    const { honest, faulty } = Params.signals[signal]
    expect(page).toContain(`| ${signal} | ${honest} | ${faulty} |`)
  }
})
