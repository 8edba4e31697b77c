// Calibrations on the command line: made on the real model across a kill, computed again from records, refused when poisoned.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Calibrate } from '@counterfoil/auditor'
import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import { type Bytes, Calibration, CalibrationRecords, ModelManifest } from '@counterfoil/protocol'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { network } from '../../sdk/test/FakeGateway.ts'
import { announce, foil, home, main } from './Foil.ts'

// Every test starts processes, and a busy machine starts them slowly.
vi.setConfig({ testTimeout: 600_000 })

const fill = (byte: string): Bytes.Hex => `0x${byte.repeat(32)}`
const clean = { first: 0, second: 0, spread: 0, logprob: 0 }
/** As if honest answers of 50 tokens had shown nothing. */
function records(machine: string, answers: number): Calibrate.Records {
  return {
    model: fill('4d'),
    runtime: fill('52'),
    references: [fill('f1'), fill('f3')],
    runs: [{ machine: fill(machine), answers: Array.from({ length: answers }, () => Array(50).fill(clean)) }],
  }
}

/** A folder with the records of two machines and the calibration they give. */
function made(dir: string) {
  const file = (name: string, value: unknown) => {
    writeFileSync(join(dir, name), JSON.stringify(value))
    return join(dir, name)
  }
  const all = [records('aa', 300), records('bb', 300)]
  const [one, two] = all.map((one, i) => file(`records-${i}.json`, Calibrate.toJson(one)))
  const calibration = Calibrate.fit(Calibrate.merge(all), 1_770_000_000)
  return { file, one: one ?? '', two: two ?? '', calibration, path: file('calibration.json', calibration) }
}

describe('--verify computes a calibration again', () => {
  test('the same from the same records, in whatever order they are named', async () => {
    using own = home()
    const { one, two, path, calibration } = made(own.dir)
    const { code, stdout, stderr } = await foil(own.dir, [
      ...['calibrate', '--json', '--verify', path, '--records', two, one],
    ])
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toMatchObject({ outcome: 'confirmed', id: Calibration.id(calibration) })
  })

  test('refuted by other records: fewer, changed, or of another runtime', async () => {
    using own = home()
    const { file, one, two, path, calibration } = made(own.dir)
    const strayed = { ...clean, first: 9_000, second: 9_000 }
    const changed = { ...records('bb', 299), runs: [{ machine: fill('bb'), answers: [[strayed]] }] }
    for (const others of [
      [one],
      [one, file('changed.json', Calibrate.toJson(changed))],
      [file('other.json', Calibrate.toJson({ ...records('aa', 300), runtime: fill('99') }))],
    ]) {
      const found = await foil(own.dir, ['calibrate', '--verify', path, '--records', ...others])
      expect(found.code).toBe(4)
      expect(found.stdout).toMatch(/^refuted {2}calibration 0x/)
    }
    const digest = file('digest.json', { ...calibration, records: fill('00') })
    const found = await foil(own.dir, ['calibrate', '--verify', digest, '--records', one, two])
    expect([found.code, found.stdout]).toEqual([4, expect.stringContaining(`records ${fill('00')}`)])
  })

  test.each<[string, (calibration: Calibration.Calibration) => unknown, RegExp]>([
    ['mu0 that does not follow', (one) => ({ ...one, mu0: 6_000 }), /mu0 must be 5\d\d\d, which follows/],
    ['a mean out of range', (one) => ({ ...one, meanX: -1 }), /meanX/],
    ['a mean that is no number', (one) => ({ ...one, meanX: null }), /meanX/],
    ['sums that do not add up', (one) => ({ ...one, tokens: one.tokens + 1 }), /add up/],
    ['one reference twice', (one) => ({ ...one, references: [fill('f1'), fill('f1')] }), /two different/],
    ['a factor that is not offered', (one) => ({ ...one, logprobFactor: 999 }), /logprobFactor/],
    ['another document', () => ({ schema: 'counterfoil/offer/1' }), /holds no calibration/],
  ])('poisoned: %s', async (_, poison, cause) => {
    using own = home()
    const { file, one, calibration } = made(own.dir)
    const { code, stdout, stderr } = await foil(own.dir, [
      ...['calibrate', '--verify', file('poisoned.json', poison(calibration)), '--records', one],
    ])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^foil: .+\n {2}fix: .+\n$/)
    expect(stderr).toMatch(cause)
  })

  test('no records, records that are none, and too long a file', async () => {
    using own = home()
    const { file, one, path } = made(own.dir)
    expect((await foil(own.dir, ['calibrate', '--verify', path])).code).toBe(2)
    const half = join(own.dir, 'half.json')
    writeFileSync(half, readFileSync(one, 'utf8').slice(0, -9))
    for (const [records, cause] of [
      [half, /holds no records/],
      [file('none.json', { runs: [] }), /holds no records/],
      [join(own.dir, 'nowhere.json'), /ENOENT/],
    ] as const) {
      const found = await foil(own.dir, ['calibrate', '--verify', path, '--records', records])
      expect([found.code, found.stderr]).toEqual([1, expect.stringMatching(cause)])
    }
    const long = file('long.json', ' '.repeat(1_048_577))
    const found = await foil(own.dir, ['calibrate', '--verify', long, '--records', one])
    expect([found.code, found.stderr]).toEqual([1, expect.stringContaining('longer than 1048576 bytes')])
  })
})

describe('foil audit refuses a folder with', () => {
  test.each<[string, (calibration: Calibration.Calibration) => readonly [string, string], RegExp]>([
    ['a poisoned one', (one) => ['a.json', JSON.stringify({ ...one, mu0: 6_000 })], /which follows/],
    ['half of one', (one) => ['a.json', JSON.stringify(one).slice(0, -5)], /is no calibration/],
    [
      'one that was changed since it was made',
      (one) => [`${Calibration.id(one)}.json`, JSON.stringify({ ...one, created: 1 })],
      /its digest is 0x/,
    ],
  ])('%s', async (_, spoil, cause) => {
    using own = home()
    announce(own.dir, { url: 'http://127.0.0.1:9', network })
    const [name, text] = spoil(made(own.dir).calibration)
    mkdirSync(join(own.dir, 'calibrations'))
    writeFileSync(join(own.dir, 'calibrations', name), text)
    const { code, stdout, stderr } = await foil(own.dir, ['audit'])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(cause)
    expect(stderr).toMatch(/fix: make it again with foil calibrate, or take it away/)
  })
})

describe('on the real model', () => {
  const storeDir = defaultStoreDir(process.env)
  beforeAll(async () => {
    await pull(await Store.open({ dir: storeDir }), defaultModel)
  }, 300_000)

  test('a run that is killed goes on where it was; what comes out follows from its records', async () => {
    using own = home()
    symlinkSync(storeDir, join(own.dir, 'models'))
    const args = ['calibrate', '--json', '--tokens', '150', '--context', '512', '--sequences', '1']
    const dir = join(own.dir, 'calibrations', 'records')
    const path = join(dir, 'SmolLM2-135M-Instruct-512-1-1.records.json')
    const answersOf = () =>
      Calibrate.fromJson(JSON.parse(readFileSync(path, 'utf8'))).runs.flatMap(({ answers }) => answers)

    const child = spawn(process.execPath, ['--conditions=source', main, ...args], {
      env: { PATH: process.env.PATH, COUNTERFOIL_HOME: own.dir },
      stdio: 'ignore',
    })
    const exit = once(child, 'exit')
    while (!existsSync(path) && child.exitCode === null) await pause(20)
    child.kill('SIGKILL')
    await exit
    const before = answersOf()
    expect(before.length).toBeGreaterThan(0)

    const { code, stdout, stderr } = await foil(own.dir, args)
    expect(code, stderr).toBe(0)
    expect(answersOf().slice(0, before.length)).toEqual(before)
    const { id, file, calibration, standing } = JSON.parse(stdout)
    expect(Calibration.id(Calibration.decode(calibration))).toBe(id)
    expect(readdirSync(join(own.dir, 'calibrations'))).toContain(`${id}.json`)
    expect(calibration).toMatchObject({ model: ModelManifest.id(defaultModel.manifest) })
    expect(calibration.tokens).toBeGreaterThanOrEqual(150)
    expect(calibration.machines).toHaveLength(1)
    expect(standing.use).toBe('refuse')
    expect(
      CalibrationRecords.matches(
        calibration,
        Calibrate.fromJson(JSON.parse(readFileSync(path, 'utf8'))).runs,
      ),
    ).toBe(true)
    const verified = await foil(own.dir, ['calibrate', '--verify', file, '--records', path])
    expect([verified.code, verified.stderr]).toEqual([0, ''])
    // What is enough already is not measured again.
    const again = await foil(own.dir, args)
    expect(JSON.parse(again.stdout).calibration.records).toBe(calibration.records)
  })
})
