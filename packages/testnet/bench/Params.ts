/** How long each section measures. Full figures take a few minutes; quick ones only show that everything runs. */
export type Mode = {
  readonly name: 'quick' | 'full'
  readonly warmup: number
  readonly verify: { readonly rounds: number; readonly cpuSeconds: number }
  readonly provider: { readonly rounds: number; readonly outputTokens: number }
  readonly gateway: { readonly rounds: number; readonly seconds: number }
  readonly recovery: { readonly claims: number; readonly kills: number }
  /** Cold starts, each followed by a warm one in the same home. */
  readonly network: { readonly starts: number; readonly answers: number }
}

export const full: Mode = {
  name: 'full',
  warmup: 1,
  verify: { rounds: 9, cpuSeconds: 0.5 },
  provider: { rounds: 11, outputTokens: 64 },
  gateway: { rounds: 7, seconds: 3 },
  recovery: { claims: 100_000, kills: 5 },
  network: { starts: 3, answers: 4 },
}

export const quick: Mode = {
  name: 'quick',
  warmup: 0,
  verify: { rounds: 1, cpuSeconds: 0.1 },
  provider: { rounds: 1, outputTokens: 8 },
  gateway: { rounds: 1, seconds: 0.5 },
  recovery: { claims: 1_000, kills: 1 },
  network: { starts: 1, answers: 1 },
}

/** Callers at once in the gateway's section. */
export const connections = 16
/** Tokens of the answers that are verified, and of those that are streamed through the gateway. */
export const answerTokens = 50
/** Tokens of the answers that pass the gateway in one piece. */
export const shortAnswerTokens = 8
/** Leaves of the batch in whose tree a verified receipt stands: a proof of 12 digests. */
export const batchLeaves = 4096
/** Settings of a development network's providers. */
export const contextLength = 2048
export const threads = 1
