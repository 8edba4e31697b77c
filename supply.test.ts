// `npm run supply` on the repository, and on small ones that are wrong in one way each.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const dir = mkdtempSync(join(tmpdir(), 'supply-'))
afterAll(() => rmSync(dir, { recursive: true }))

/** Stands in for npm: prints the report of the file beside it. What the real one prints is in the report's shape. */
const fakeNpm = join(dir, 'fake-npm.cjs')
writeFileSync(
  fakeNpm,
  "process.stdout.write(require('node:fs').readFileSync(process.env.FAKE_REPORT, 'utf8'))",
)

function supply(root: string, report: object) {
  const file = join(dir, 'report.json')
  writeFileSync(file, JSON.stringify(report))
  return spawnSync(process.execPath, [join(import.meta.dirname, 'scripts/supply.mjs'), root], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, npm_execpath: fakeNpm, FAKE_REPORT: file },
  })
}

const clean = { vulnerabilities: {} }

function repository(
  license: string | undefined,
  page = '| `a` | reason |\n',
  optional: Readonly<Record<string, object>> = {},
) {
  const root = mkdtempSync(join(dir, 'root-'))
  mkdirSync(join(root, 'docs'))
  writeFileSync(join(root, 'docs/dependencies.md'), page)
  const packages = { '': { dependencies: { a: '1.0.0' } }, 'node_modules/a': { license }, ...optional }
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages }))
  return root
}

test('this repository: every licence and every reason', () => {
  const { status, stderr, stdout } = supply(import.meta.dirname, clean)
  expect([status, stderr]).toEqual([0, ''])
  expect(stdout).toContain('npm audit: 0 packages with known weaknesses')
})

test.each([
  ['MIT', 0],
  ['(GPL-3.0 OR MIT)', 0],
  ['MIT AND ISC', 0],
  ['MIT AND GPL-3.0', 1],
  ['GPL-3.0-only', 1],
  [undefined, 1],
] as const)('licence %s ends with %d', (license, status) => {
  const result = supply(repository(license), clean)
  expect(result.status).toBe(status)
  if (status === 1) expect(result.stderr).toContain('supply: node_modules/a has licence ')
})

test('a dependency without a reason, and a reason without its dependency', () => {
  expect(supply(repository('MIT', ''), clean).stderr).toContain('a has no line in docs/dependencies.md')
  const page = '| `a` | reason |\n| `b` | reason |\n'
  expect(supply(repository('MIT', page), clean).stderr).toContain('names b, which nothing asks for')
})

test("another platform's build has the licence of what asks for it", () => {
  const build = { 'node_modules/a-win32': { optional: true } }
  const root = (license: string) =>
    repository('MIT', undefined, {
      ...build,
      'node_modules/a': { license, optionalDependencies: { 'a-win32': '1.0.0' } },
    })
  expect(supply(root('MIT'), clean).status).toBe(0)
  expect(supply(root('GPL-3.0'), clean).stderr).toContain('node_modules/a-win32 has licence "GPL-3.0"')
})

test('a high weakness ends with 1, a moderate one is told, and a registry without the answer is named', () => {
  const root = repository('MIT')
  const weak = (severity: string) => ({ vulnerabilities: { a: { name: 'a', severity, range: '<2' } } })
  expect(supply(root, weak('high'))).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('grade high'),
  })
  expect(supply(root, weak('moderate'))).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('a <2 has a known weakness, grade moderate'),
  })
  expect(supply(root, { statusCode: 405, message: '405' })).toMatchObject({
    status: 0,
    stdout: expect.stringContaining(
      'SKIPPED, nothing was compared with known weaknesses: the registry answered 405',
    ),
  })
})
