import type { Job, Runtime } from '@counterfoil/protocol'
import type * as Engine from '../Engine.ts'

/**
 * What crosses between the engine and its child process. Each request is answered by any number of replies and then
 * exactly one of `ended`, `refused` and `failed`; by then whatever it held in the child is free.
 */
export type Request =
  | { readonly type: 'prepare'; readonly messages: readonly Job.Message[]; readonly startedMs: number }
  | ({ readonly type: 'generate' } & Generate)
  | {
      readonly type: 'score'
      readonly prompt: readonly number[]
      readonly tokens: readonly number[]
      readonly top: number
    }

export type Generate = {
  readonly prompt: readonly number[]
  readonly outputTokensMax: number
  readonly alternatives: number
} & Pick<Job.Job, 'samplerSeed' | 'temperature' | 'topP' | 'stop'>

/** Parent to child; `load` comes first and once. */
export type Downward =
  | { readonly type: 'load'; readonly load: Load }
  | { readonly type: 'request'; readonly id: number; readonly request: Request }
  | { readonly type: 'cancel'; readonly id: number }

export type Load = {
  readonly modelPath: string
  readonly contextLength: number | undefined
  readonly sequences: number
  readonly threads: number | undefined
  readonly kvCache: 'f16' | 'f32'
  /** A folder that holds what the platform's binding package holds, used in its place. */
  readonly bindingFolder: string | undefined
  readonly determinism: Runtime.Runtime['determinism']
}

export type Ready = { readonly runtime: Runtime.Runtime; readonly limits: Engine.Engine['limits'] }

export type Reply =
  | { readonly type: 'prepared'; readonly promptTokens: readonly number[] }
  | { readonly type: 'step'; readonly step: Engine.Step }
  | { readonly type: 'scored'; readonly scored: readonly Engine.Scored[] }
  | Terminal

export type Terminal =
  | { readonly type: 'ended' }
  | {
      readonly type: 'refused'
      readonly code: Engine.RefusalCode
      readonly message: string
      readonly numbers?: { promptTokens: number; contextLength: number }
    }
  | { readonly type: 'failed'; readonly message: string }

/** Child to parent: replies travel together, because a message costs more than what it carries. */
export type Upward =
  | { readonly type: 'ready'; readonly ready: Ready }
  | { readonly type: 'loadFailed'; readonly message: string }
  | { readonly type: 'replies'; readonly replies: readonly (readonly [id: number, reply: Reply])[] }
