import type { Job, Runtime, Trace } from '@counterfoil/protocol'
import type { Lab } from './Lab.ts'
import type * as Prompts from './Prompts.ts'

/**
 * One way to answer jobs, honest or not. No code of an auditor knows of any: it sees a job and the tokens and
 * log-probabilities that are claimed for it.
 */
export type Behaviour = {
  readonly name: string
  readonly kind: 'honest' | 'cheat'
  readonly title: string
  /** Tokens to record. */
  readonly tokens: number
  readonly mix: Prompts.Mix
  /** Behaviours of one series are asked the same; by default its name. */
  readonly series?: string
  /** Jobs at once. */
  readonly parallel?: number
  /** What scores it: the built-in runtime of this machine, or the exact one. */
  readonly reference?: 'default' | 'exact'
  open(lab: Lab): Promise<Provider>
  /** How the auditor picks its jobs; by default it takes them as they come from the mix. */
  openAsker?(lab: Lab): Promise<Asker>
}

/** Who answers. */
export type Provider = AsyncDisposable & {
  readonly runtime: Runtime.Runtime
  answer(job: Job.Job): Promise<readonly Trace.Token[]>
}

/** Who asks. */
export type Asker = AsyncDisposable & { ask(i: number): Promise<Prompts.Asked> }
