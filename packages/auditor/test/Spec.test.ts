import { readFileSync } from 'node:fs'
import { AuditPage, AuditParams } from '@counterfoil/protocol'
import { expect, test } from 'vitest'
import * as Params from '../src/Params.ts'
import { routes } from '../src/routes/routes.ts'
import { themes } from '../src/Themes.ts'

// spec/audit.md and the code say the same, as far as a machine can tell.

const page = readFileSync(new URL('../../../spec/audit.md', import.meta.url), 'utf8')
const source = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

/** The members of a union of string literals. */
function union(path: string, name: string): readonly string[] {
  const body = source(path).split(`type ${name} =`)[1]?.split('\n\n')[0] ?? ''
  return [...body.matchAll(/\| '([a-z-]+)'/g)].map((match) => match[1] ?? '')
}

test.each([
  ['../src/Recheck.ts', 'RecheckErrorCode'],
  ['../../protocol/src/audit/AuditPage.ts', 'AuditErrorCode'],
])('every code of %s is explained', (path, name) => {
  const codes = union(path, name)
  expect(codes.length).toBeGreaterThan(9)
  expect(codes.filter((code) => !page.includes(`\`${code}\``))).toEqual([])
})

test('faults, variables, languages and limits are those of the code', () => {
  for (const fault of AuditPage.faults) expect(page).toContain(`| \`${fault}\` |`)
  const variables = [...source('../src/config.ts').matchAll(/^ {2}([A-Z_]+): /gm)].map(
    (match) => match[1] ?? '',
  )
  expect(variables.length).toBeGreaterThan(15)
  expect(variables.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  for (const { language, weight } of themes) expect(page).toMatch(new RegExp(`\\b${language} ${weight}\\b`))
  expect(page).toContain(`1 to ${AuditParams.auditsMax.toLocaleString('en')} audits`)
  expect(page).toContain(`at most ${AuditParams.bundleBytesMax / 2 ** 20} MiB`)
  expect(page).toContain(`by at most ${AuditParams.xTolerancePpm / 1e6}`)
})

test('limits of the door, of attempts and of models are those of the code', () => {
  const english = (value: number) => value.toLocaleString('en')
  for (const said of [
    `${Params.doorLimits.headerBytesMax / 1024} KiB of request line and headers`,
    `${Params.requestsPerMinuteMax} requests of one address in a minute`,
    `${Params.doorLimits.connectionsMax} connections`,
    `${Params.doorLimits.headersMs / 1000} s for headers and ${Params.doorLimits.requestMs / 1000} s for a request`,
    `at most ${Params.commitmentsPageMax}`,
    `${Params.modelsMax} models at most`,
    `\`AUDITOR_MODEL_BYTES_MAX\` | ${english(Params.modelBytesMax)}`,
    `${100 * Params.newcomerShare} % of a provider's first ${Params.newcomerJobs} jobs, ${100 * Params.laterShare} % of all later ones`,
    `at least ${Params.auditsToConvict} x charge / stake`,
    `${Params.usualAnswer.promptTokens} and ${Params.usualAnswer.outputTokens} tokens`,
  ])
    expect(page).toContain(said)
  const minutes = (Params.attemptPauseMs * (2 ** (Params.attemptsMax - 1) - 1)) / 60_000
  expect([Params.attemptsMax, Params.attemptPauseMs, Math.round(minutes)]).toEqual([11, 2_000, 34])
  expect(page).toContain('tried eleven times over half an hour')
})

test('every route is listed, and no other', () => {
  const paths = [...page.matchAll(/^\| `GET (\S+)` \|/gm)].map((match) => match[1] ?? '')
  const example = (path: string) =>
    path
      .replace('{number}', '7')
      .replace('{provider}', `0x${'aa'.repeat(20)}`)
      .replace(/\{(model|claimId|digest)\}/, `0x${'bb'.repeat(32)}`)
  expect(paths).toHaveLength(routes.length)
  for (const path of paths)
    expect(
      routes.filter((route) => route.path.test(example(path))),
      path,
    ).toHaveLength(1)
})
