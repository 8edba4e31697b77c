import { randomBytes } from 'node:crypto'
import { Llama } from '@counterfoil/engines'
import type { Bytes } from '@counterfoil/protocol'
import * as Calibrate from './Calibrate.ts'
import * as Machine from './Machine.ts'
import * as Params from './Params.ts'
import * as Scorer from './Scorer.ts'

export type Options = Pick<Calibrate.Options, 'tokens' | 'begun' | 'onAnswer' | 'signal'> & {
  readonly model: Bytes.Hex
  readonly modelPath: string
  /** Settings of the engine under test: they are part of the runtime that is calibrated. */
  readonly engine: { readonly contextLength: number; readonly sequences: number; readonly threads: number }
  /** Threads of the references. */
  readonly threads: number
}

/**
 * Measures the built-in engine on this machine against references on the same machine.
 * @example const records = await Trial.run({ model, modelPath, engine: { contextLength: 2048, sequences: 2, threads: 1 }, threads: 1, tokens: 25_000 })
 */
export async function run({ modelPath, engine, threads, ...options }: Options): Promise<Calibrate.Records> {
  await using tested = await Llama.create({ modelPath, ...engine })
  await using scorer = await Scorer.open({ modelPath, contextLength: Params.contextTokens, threads })
  return await Calibrate.measure({
    ...options,
    engine: tested,
    scorer,
    machine: Machine.digest(Machine.describe()),
    random: (bytes) => randomBytes(bytes),
    now: () => Date.now(),
  })
}
