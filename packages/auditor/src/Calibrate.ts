import type { Engine } from '@counterfoil/engines'
import {
  Audit,
  Bytes,
  type Calibration,
  CalibrationRecords,
  Decode,
  Runtime,
  Statistic,
  Trace,
} from '@counterfoil/protocol'
import * as Composer from './Composer.ts'
import * as Params from './Params.ts'
import type { Scorer } from './Scorer.ts'

/** What was measured: for whom, by whom, and the statistics of every answer by machine. */
export type Records = {
  readonly model: Bytes.Hex
  readonly runtime: Bytes.Hex
  readonly references: readonly [Bytes.Hex, Bytes.Hex]
  readonly runs: readonly CalibrationRecords.Run[]
}

export type Options = {
  readonly model: Bytes.Hex
  /** The honest engine on the runtime that is to be calibrated. */
  readonly engine: Engine.Engine
  readonly scorer: Pick<Scorer, 'references' | 'score'>
  /** Answers are added until there are so many tokens of this machine. */
  readonly tokens: number
  /** A digest of this machine's description. */
  readonly machine: Bytes.Hex
  /** What earlier runs, here or elsewhere, have measured. */
  readonly begun?: Records
  readonly random: (bytes: number) => Uint8Array
  readonly now: () => number
  readonly compose?: Composer.Composer
  /** Told after each answer, to be written down. */
  readonly onAnswer?: (records: Records, tokens: number) => void
  readonly signal?: AbortSignal
}

/**
 * Lets the engine under test answer prompts of the audits' mix and scores its answers like an audit, until there are
 * enough tokens. What it returns {@link fit}s into a calibration.
 * @throws {RecordsError} where what was begun is about another model, runtime or pair of references.
 * @example const records = await measure({ model, engine, scorer, tokens: 25_000, machine, random: randomBytes, now: Date.now })
 */
export async function measure(options: Options): Promise<Records> {
  const { engine, scorer, machine } = options
  const references = await scorer.references()
  const runtime = Runtime.id(engine.runtime)
  const empty: Records = { model: options.model, runtime, references, runs: [] }
  let records = options.begun ? merge([empty, options.begun]) : empty
  let answers = records.runs.find((run) => run.machine === machine)?.answers ?? []
  let tokens = answers.reduce((sum, answer) => sum + answer.length, 0)
  while (tokens < options.tokens) {
    options.signal?.throwIfAborted()
    const statistics = await answerOnce(options)
    if (statistics.length === 0) continue
    answers = [...answers, statistics]
    tokens += statistics.length
    records = withRun(records, { machine, answers })
    options.onAnswer?.(records, tokens)
  }
  return records
}

/** The calibration of records; `created` in seconds. */
export function fit(records: Records, created: number): Calibration.Calibration {
  const { runs, ...subject } = records
  return CalibrationRecords.fit(runs, { ...subject, references: [...subject.references], created })
}

/** Records of several machines as one; of one machine the longer run counts. */
export function merge(all: readonly Records[]): Records {
  const [first, ...others] = all
  if (!first) throw new RangeError('nothing to merge')
  for (const other of others)
    for (const field of ['model', 'runtime', 'references'] as const)
      if (`${other[field]}` !== `${first[field]}`)
        throw new RecordsError(field, `${first[field]}`, `${other[field]}`)
  return all.flatMap((one) => one.runs).reduce(withRun, { ...first, runs: [] })
}

function withRun(records: Records, run: CalibrationRecords.Run): Records {
  const known = records.runs.find((one) => one.machine === run.machine)
  if (known && known.answers.length > run.answers.length) return records
  const others = records.runs.filter((one) => one.machine !== run.machine)
  return { ...records, runs: [...others, run].sort((a, b) => (a.machine < b.machine ? -1 : 1)) }
}

async function answerOnce(options: Options): Promise<readonly Statistic.Statistic[]> {
  const { engine, scorer, model, random } = options
  const uniform = () => new DataView(Uint8Array.from(random(4)).buffer).getUint32(0) / 2 ** 32
  const { audit } = (options.compose ?? Composer.compose)(uniform, {
    model,
    contextTokens: engine.limits.contextLength,
  })
  const maxTokens = Math.min(audit.job.maxTokens, Params.calibrationAnswerTokens)
  const short = { ...audit, job: { ...audit.job, maxTokens } }
  const job = Audit.job(short, Bytes.toHex(random(32)))
  const startedMs = options.now()
  const signal = options.signal ? { signal: options.signal } : {}
  const prepared = await engine.prepare(job, { startedMs, ...signal })
  const tokens: Trace.Token[] = []
  for await (const step of engine.generate(prepared, job, signal))
    tokens.push({ id: step.token, logprob: Trace.quantize(step.logprob) })
  return (await scorer.score({ job, startedMs, tokens, second: { where: 'token' } })).statistics
}

const read = Decode.object({
  schema: Decode.literal('counterfoil/calibration-records/1'),
  model: Decode.digest,
  runtime: Decode.digest,
  references: Decode.array(Decode.digest, 2),
  runs: Decode.array(
    Decode.object({
      machine: Decode.digest,
      /** One answer an item, 8 bytes a token. */
      answers: Decode.array(Decode.hexUpTo(Params.recordsBytesMax), 1_000_000),
    }),
    64,
  ),
})

export function toJson({ runs, ...subject }: Records): unknown {
  return {
    schema: 'counterfoil/calibration-records/1',
    ...subject,
    runs: runs.map(({ machine, answers }) => ({ machine, answers: answers.map(Statistic.toHex) })),
  }
}

export function fromJson(value: unknown): Records {
  const { model, runtime, references, runs } = read(value, '$')
  const [first, second] = references
  if (!first || !second)
    throw new Decode.DecodeError('length', '$.references', references.length, 'must name two runtimes')
  return {
    model,
    runtime,
    references: [first, second],
    runs: runs.map(({ machine, answers }) => ({
      machine,
      answers: answers.map((answer) => Statistic.decode(Bytes.fromHex(answer))),
    })),
  }
}

/** Two records are about different things. */
export class RecordsError extends Error {
  override readonly name = 'Calibrate.RecordsError'
  readonly field: string
  constructor(field: string, one: string, other: string) {
    super(
      `records of ${field} ${other} do not go with those of ${one}: calibrate each pair of runtimes by itself`,
    )
    this.field = field
  }
}
