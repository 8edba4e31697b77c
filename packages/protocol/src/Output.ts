import * as Bytes from './Bytes.ts'
import * as Canonical from './Canonical.ts'
import * as Decode from './Decode.ts'
import * as Digest from './Digest.ts'
import * as Finish from './Finish.ts'
import * as Params from './Params.ts'
import * as Usage from './Usage.ts'

/** Text of a token; its bytes too, because a token may end inside a character. Log-probability in 1/1024 nat. */
const alternative = Decode.object({
  token: Decode.text(Params.textCharsMax),
  bytes: Decode.hexUpTo(Params.textCharsMax),
  logprob: Decode.integer(-32768, 0),
})
/** One token of `logprobs`. */
export const readTokenLogprob = Decode.object({
  token: Decode.text(Params.textCharsMax),
  bytes: Decode.hexUpTo(Params.textCharsMax),
  logprob: Decode.integer(-32768, 0),
  top: Decode.array(alternative, Params.topLogprobsMax),
})
const choice = Decode.object(
  {
    message: Decode.object({
      role: Decode.literal('assistant'),
      content: Decode.text(Params.outputBytesMax),
    }),
    finish: Decode.literal(...Finish.names),
  },
  { logprobs: Decode.array(readTokenLogprob, Params.outputTokensMax) },
)
const read = Decode.object({
  schema: Decode.literal('counterfoil/output/1'),
  choices: Decode.array(choice, 1),
  usage: Usage.read,
})

/** The answer: the same whether it was streamed or not. `logprobs` stand there where the job asked for them. */
export type Output = ReturnType<typeof read>
export type TokenLogprob = ReturnType<typeof readTokenLogprob>

export function decode(value: unknown): Output {
  const output = read(value, '$')
  if (output.choices.length === 0)
    throw new Decode.DecodeError('missing', '$.choices', 0, 'must hold one choice')
  if (Bytes.textLength(Canonical.encode(output)) > Params.outputBytesMax)
    throw new Decode.DecodeError(
      'too-long',
      '$',
      'output',
      `must have at most ${Params.outputBytesMax} bytes`,
    )
  return output
}

/**
 * `answer = H("answer", saltAnswer ‖ JCS(output))`
 * @example Output.digest(output, Nonce.salts(nonce).answer)
 */
export function digest(output: Output, salt: Bytes.Hex): Bytes.Hex {
  return Digest.ofJson('answer', output, salt)
}
