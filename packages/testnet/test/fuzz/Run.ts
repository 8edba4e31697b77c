import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { inherited } from '../../src/config.ts'
import type * as Fuzz from './Fuzz.ts'
import type { Message } from './fuzzChild.ts'
import * as Params from './Params.ts'
import type { Target } from './Target.ts'

export type Share = readonly [name: string, cases: number]

/** So many cases in all, by the targets' weights; each target gets one at least. */
export function shares(targets: readonly Target[], cases: number): readonly Share[] {
  const weights = targets.reduce((sum, { weight }) => sum + weight, 0)
  return targets.map(({ name, weight }) => [name, Math.max(1, Math.round((cases * weight) / weights))])
}

/**
 * Runs targets in a process of their own, one after the other: one that hangs is ended and becomes a finding, and so does one
 * that takes the process down.
 * @example await Run.run([['claim', 1_000]], { seed: 7 })
 */
export function run(
  list: readonly Share[],
  {
    seed,
    silentMs = Params.silentMs,
    module = new URL('fuzzChild.ts', import.meta.url),
    onRow = () => {},
  }: {
    readonly seed: number
    readonly silentMs?: number
    readonly module?: URL
    readonly onRow?: (row: Fuzz.Row) => void
  },
): Promise<readonly Fuzz.Row[]> {
  const path = fileURLToPath(module)
  const child = fork(path, [JSON.stringify(list), `${seed}`], {
    execArgv: ['--conditions=source'],
    env: { ...inherited },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const rows: Fuzz.Row[] = []
  let at = list[0]?.[0] ?? ''
  let isSilent = false
  const silence = () =>
    setTimeout(() => {
      isSilent = true
      child.kill('SIGKILL')
    }, silentMs)
  let timer = silence()
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('message', (message: Message) => {
      clearTimeout(timer)
      timer = silence()
      if ('at' in message) at = message.at
      else {
        rows.push(message.row)
        onRow(message.row)
      }
    })
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      if (code === 0) return resolve(rows)
      const message = isSilent
        ? `a chunk of cases did not end within ${silentMs} ms`
        : `the process ended with ${signal ?? `code ${code}`}`
      const finding = { target: at, message, input: 'unknown: run the target alone', seed, path: '' }
      rows.push({
        target: at,
        cases: 0,
        accepted: 0,
        refused: 0,
        findings: [finding],
        seconds: 0,
        growthBytes: 0,
      })
      resolve(rows)
    })
  })
}
