import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import * as Params from './Params.ts'
import type { Case, Outcome, Target, Trial } from './Target.ts'

/** Where a property did not hold, and how to see it again. */
export type Finding = {
  readonly target: string
  readonly message: string
  /** The smallest input that still shows it. */
  readonly input: string
  /** Of fast-check: seed of the chunk and path to the input. */
  readonly seed: number
  readonly path: string
}

/** What came of one target. */
export type Row = {
  readonly target: string
  readonly cases: number
  readonly accepted: number
  readonly refused: number
  readonly findings: readonly Finding[]
  readonly seconds: number
  readonly growthBytes: number
}

/** @example await Fuzz.run(target, { cases: 1_000, seed: 7 }) */
export async function run(
  target: Target,
  { cases, seed, onChunk = () => {} }: { cases: number; seed: number; onChunk?: () => void },
): Promise<Row> {
  const startedMs = performance.now()
  const trial = await target.open()
  const counts = { accepted: 0, refused: 0 }
  const findings: Finding[] = []
  let done = 0
  let highest = 0
  let base: { rss: number; heap: number } | undefined
  try {
    for (let chunk = 0; done < cases && findings.length < Params.findingsMax; chunk += 1) {
      const numRuns = Math.min(Params.chunkCases, cases - done)
      const from = { target: target.name, seed: seedOf(seed, chunk), path: '' }
      const result = await runChunk(trial, {
        ...{ numRuns, seed: from.seed, counts },
        cpuMsMax: target.cpuMsMax ?? Params.cpuMsMax,
      })
      done += result.numRuns
      if (result.finding) findings.push({ ...from, ...result.finding })
      const broken = await failureOf(async () => {
        await trial.settle?.()
        if (done >= cases) await trial.finish?.()
      })
      if (broken !== undefined)
        findings.push({
          ...from,
          message: broken,
          input: `one or more of the ${numRuns} cases of this chunk`,
        })
      // The first chunk warms up: code, caches, connections. What has one only is not looked at.
      if (cases > numRuns) {
        base ??= { rss: process.memoryUsage.rss(), heap: collected() }
        highest = Math.max(highest, process.memoryUsage.rss())
      }
      onChunk()
    }
    const grown = base ? { heap: collected() - base.heap, rss: highest - base.rss } : { heap: 0, rss: 0 }
    const problem =
      grown.heap > Params.leakBytesMax
        ? `${mib(grown.heap)} stayed on the heap, at most ${mib(Params.leakBytesMax)} may`
        : grown.rss > Params.growthBytesMax
          ? `the process grew by ${mib(grown.rss)}, at most ${mib(Params.growthBytesMax)} may`
          : undefined
    if (problem) findings.push({ target: target.name, message: problem, input: 'all cases', seed, path: '' })
    return {
      ...{ target: target.name, cases: done, ...counts, findings },
      seconds: (performance.now() - startedMs) / 1000,
      growthBytes: Math.max(0, grown.rss),
    }
  } finally {
    await trial.close?.()
  }
}

async function failureOf(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** Cases until one fails, which is then made small; the counts leave out what only shrinking tried. */
async function runChunk(
  trial: Trial,
  options: { numRuns: number; seed: number; counts: Record<Outcome, number>; cpuMsMax: number },
): Promise<{ numRuns: number; finding?: Omit<Finding, 'target' | 'seed'> }> {
  const { numRuns, seed, counts, cpuMsMax } = options
  let isShrinking = false
  const property = fc.asyncProperty(trial.cases, async (one) => {
    try {
      const outcome = await timed(one, cpuMsMax)
      if (!isShrinking) counts[outcome] += 1
    } catch (error) {
      isShrinking = true
      throw error
    }
  })
  const details = await fc.check(property, { numRuns, seed, endOnFailure: false })
  if (!details.failed) return { numRuns: details.numRuns }
  const [counterexample] = details.counterexample ?? []
  return {
    numRuns: details.numRuns,
    finding: {
      message: messageOf(details.errorInstance),
      input: show(counterexample?.shown),
      // Long where much was made small; the chunk's seed alone finds it too.
      path: (details.counterexamplePath ?? '').slice(0, 200),
    },
  }
}

/** A case that takes too long three times in a row is slow; once it may have been the collector. */
async function timed(one: Case, cpuMsMax: number): Promise<Outcome> {
  for (let attempt = 1; ; attempt += 1) {
    const before = process.threadCpuUsage()
    const outcome = await one.run()
    const { user, system } = process.threadCpuUsage(before)
    const ms = (user + system) / 1000
    if (ms <= cpuMsMax) return outcome
    if (attempt === 3) throw new SlowError(ms, cpuMsMax)
  }
}

/** A seed for each chunk (Knuth's multiplicative hash), so that any of them can be run alone. */
function seedOf(seed: number, chunk: number): number {
  return (Math.imul(chunk + 1, 0x9e3779b1) ^ seed) | 0
}

function collected(): number {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${String(error)}`
  const frames = (error.stack ?? '').split('\n').filter((line) => line.trim().startsWith('at '))
  return [`${error.name}: ${error.message}`.slice(0, 1_000), ...frames.slice(0, 4)].join('\n')
}

/** Bytes as hexadecimal, everything else as JSON; a long input is cut in the middle. */
export function show(value: unknown): string {
  let text: string
  try {
    text =
      value instanceof Uint8Array
        ? `0x${Buffer.from(value).toString('hex')}`
        : (JSON.stringify(value, (_, one) =>
            one instanceof Uint8Array
              ? `0x${Buffer.from(one).toString('hex')}`
              : typeof one === 'bigint'
                ? `${one}n`
                : one,
          ) ?? String(value))
  } catch (error) {
    // Nested too deeply for JSON.stringify.
    text = `(cannot be shown: ${error instanceof Error ? error.message : error})`
  }
  if (text.length <= Params.shownCharsMax) return text
  const half = Params.shownCharsMax / 2
  return `${text.slice(0, half)} … ${text.length} characters … ${text.slice(-half)}`
}

function mib(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(0)} MiB`
}

class SlowError extends Error {
  override readonly name = 'SlowError'
  constructor(ms: number, most: number) {
    super(`took ${ms.toFixed(0)} ms of processor time, at most ${most} ms may be taken`)
  }
}
