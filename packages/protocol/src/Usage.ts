import * as Decode from './Decode.ts'
import * as Params from './Params.ts'

/** Tokens of one job: all of the prompt, those of it that a cache held, and those sampled. */
export type Usage = {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly outputTokens: number
}

export const read: Decode.Reader<Usage> = Decode.object({
  promptTokens: Decode.integer(0, Params.contextTokensMax),
  cachedTokens: Decode.integer(0, Params.contextTokensMax),
  outputTokens: Decode.integer(0, Params.outputTokensMax),
})

export function equal(a: Usage, b: Usage): boolean {
  return (
    a.promptTokens === b.promptTokens &&
    a.cachedTokens === b.cachedTokens &&
    a.outputTokens === b.outputTokens
  )
}
