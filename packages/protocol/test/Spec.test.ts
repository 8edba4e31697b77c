import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Params, Refusal, Verdict } from '../src/index.ts'
import { all } from './vectors/all.ts'

// The pages and the code say the same, as far as a machine can tell.

const spec = new URL('../../../spec/', import.meta.url)
const page = (name: string) => readFileSync(new URL(name, spec), 'utf8')
const source = (name: string) => readFileSync(new URL(`../src/${name}`, import.meta.url), 'utf8')

/** Rows of a page's tables whose first cell is a code in back-ticks, as their cells. */
function rows(text: string): readonly (readonly string[])[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}
const code = (cell = '') => cell.replaceAll('`', '')

/** The members of a union of string literals in a source file. */
function union(file: string, name: string): readonly string[] {
  const body = source(file).split(`type ${name} =`)[1]?.split('\n\n')[0] ?? ''
  return [...body.matchAll(/\| '([a-z-]+)'/g)].map((match) => match[1] ?? '')
}

const errors = new Set(Object.values(all).flatMap(({ invalid }) => invalid.map((one) => `${one.error}`)))

describe('spec', () => {
  it('has every page that the index names, and an index line for every page', () => {
    const links = [...page('README.md').matchAll(/^\| \[[a-z-]+\]\(([a-z-]+\.md)\)/gm)].map(
      (match) => match[1] ?? '',
    )
    const pages = readdirSync(spec).filter((name) => name.endsWith('.md') && name !== 'README.md')
    expect(links.toSorted()).toEqual(pages.toSorted())
  })

  it('has a page for every noun with vectors, which names them', () => {
    for (const noun of Object.keys(all)) expect(page(`${noun}.md`), noun).toContain(`(vectors/${noun})`)
  })

  it('links to pages and vectors that exist', () => {
    for (const name of readdirSync(spec).filter((one) => one.endsWith('.md')))
      for (const [, target = ''] of page(name).matchAll(/\]\(([^)#]+)\)/g))
        expect(existsSync(new URL(target, spec)), `${name}: ${target}`).toBe(true)
  })

  it('explains every refusal with its status and type, and no other', () => {
    const told = rows(page('refusals.md')).map(([name, status, type]) => [code(name), Number(status), type])
    const known = Object.entries(Refusal.codes).map(([name, { status, type }]) => [name, status, type])
    expect(told).toEqual(known)
    for (const row of rows(page('refusals.md')))
      expect(row.slice(3).every((cell) => cell.length > 3)).toBe(true)
  })

  it('explains every reason of a verdict with what to do, and has a vector of each', () => {
    const reasons = union('Verdict.ts', 'ReasonCode')
    expect(reasons.length).toBeGreaterThan(20)
    const table = rows(page('verdict.md').split('## Reasons')[1] ?? '')
    expect(table.map(([name]) => code(name)).sort()).toEqual([...reasons].sort())
    for (const row of table) expect(row[3]?.length ?? 0, code(row[0])).toBeGreaterThan(5)
    const shown = JSON.stringify(all.verdict)
    for (const reason of reasons) expect(shown, reason).toContain(`"${reason}"`)
  })

  it('has a row and an invalid vector for every code of a decoder', () => {
    const codes = union('Decode.ts', 'Code')
    expect(codes.length).toBeGreaterThan(10)
    const table = rows(page('README.md').split('## Decoding')[1] ?? '')
    expect(table.map(([name]) => code(name))).toEqual(codes)
    expect(codes.filter((one) => !errors.has(one))).toEqual([])
  })

  it('names no error in a vector that nobody explains', () => {
    const known = new Set<string>([
      ...union('Decode.ts', 'Code'),
      ...union('Verdict.ts', 'ReasonCode'),
      ...Object.keys(Refusal.codes),
      'RangeError',
    ])
    expect([...errors].filter((one) => !known.has(one))).toEqual([])
  })

  it('names every noun that is hashed', () => {
    const nouns = union('Digest.ts', 'Noun')
    expect(nouns.length).toBeGreaterThan(8)
    for (const noun of nouns) expect(page('README.md')).toContain(`\`${noun}\``)
  })

  it('has a row for every rung', () => {
    for (const rung of Verdict.rungs) expect(page('verdict.md')).toContain(`\`${rung}\``)
  })

  it.each([
    ['model-manifest.md', Params.contextTokensMax],
    ['model-manifest.md', Params.manifestFilesMax],
    ['model-manifest.md', Params.manifestParentsMax],
    ['model-manifest.md', Params.manifestBytesMax],
    ['model-manifest.md', Params.textCharsMax],
    ['offer.md', Params.offerBytes],
    ['offer.md', Params.outputTokensMax],
    ['job.md', Params.messagesMax],
    ['job.md', Params.jobBytesMax],
    ['job.md', Params.stopStringsMax],
    ['job.md', Params.stopStringBytesMax],
    ['job.md', Params.topLogprobsMax],
    ['job.md', Params.promptTokensPerMessageMax],
    ['output.md', Params.outputBytesMax],
    ['claim.md', Params.claimBytes],
    ['receipt.md', Params.receiptBytesMax],
    ['receipt.md', Params.evidenceItemsMax],
    ['receipt.md', Params.proofDigestsMax],
    ['receipt.md', Params.signatureBytes],
    ['key.md', Params.publicKeyBytes],
    ['trace.md', Params.traceBlockTokens],
    ['trace.md', Params.traceTokenBytes],
    ['trace.md', Params.logprobUnitsPerNat],
    ['sampler.md', Params.samplerCandidates],
    ['verdict.md', Params.clockSkewMs / 1000],
  ])('%s tells the limit %i', (name, value) => {
    const text = page(name).replaceAll(/(\d),(?=\d{3})/g, '$1')
    expect(text).toMatch(new RegExp(`(?<![\\d.])${value}(?![\\d])`))
  })

  it('tells the other limits in words of its own', () => {
    expect(page('job.md')).toContain(`| ${Params.outputTokensDefault} |`)
    expect(Params.batchLeavesMax).toBe(2 ** 32)
    expect(page('batch.md')).toContain('2^32 leaves')
    expect(Params.seedMax).toBe(2 ** 53 - 1)
    expect(page('job.md')).toContain('±(2^53 - 1)')
    expect(page('job.md')).toContain(`0 … ${Params.temperatureMax} |`)
    expect(Params.samplerTemperatureMin).toBe(1e-3)
    expect(page('sampler.md')).toContain('T below 1e-3')
  })

  it('lists the fields of a request as the code sorts them', () => {
    const text = page('job.md')
    const body = source('ChatRequest.ts')
    const listed = (start: string, end: string) =>
      [...(body.split(start)[1]?.split(end)[0] ?? '').matchAll(/^ {2}'?([a-z_]+)'?[,:]/gm)].map(
        (one) => one[1] ?? '',
      )
    const transport = listed('const transportFields', '])')
    const unsupported = listed('const unsupported', '\n}')
    const taken = listed('const jobFields', '])')
    expect([transport.length, unsupported.length, taken.length]).toEqual([10, 16, 10])
    const [, between = ''] = text.split('*Transport only*')
    const [left = '', right = ''] = between.split('*Not supported yet*')
    for (const name of transport) expect(left).toContain(`\`${name}\``)
    for (const name of unsupported) expect(right).toContain(`\`${name}\``)
    for (const name of taken) expect(text.split('*Transport only*')[0]).toContain(`\`${name}\``)
  })
})
