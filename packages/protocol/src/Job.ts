import * as Bytes from './Bytes.ts'
import * as Canonical from './Canonical.ts'
import * as Decode from './Decode.ts'
import * as Digest from './Digest.ts'
import * as Params from './Params.ts'

const content = Decode.text(Params.jobBytesMax)
const readMessage = Decode.object(
  { role: Decode.literal('system', 'user', 'assistant'), content },
  { name: Decode.text(Params.textCharsMax) },
)

const read = Decode.object({
  schema: Decode.literal('counterfoil/job/1'),
  model: Decode.digest,
  messages: Decode.array(readMessage, Params.messagesMax),
  maxTokens: Decode.integer(1, Params.outputTokensMax),
  samplerSeed: Decode.digest,
  temperature: Decode.finite(0, Params.temperatureMax),
  topP: Decode.finite(0, 1),
  stop: Decode.array(Decode.text(Params.stopStringBytesMax), Params.stopStringsMax),
  logprobs: Decode.boolean,
  topLogprobs: Decode.integer(0, Params.topLogprobsMax),
})

/**
 * The request as the engine sees it: every default explicit, every alias resolved, nothing of transport in it. The
 * caller's SDK derives the same job from the same request ({@link ChatRequest.toJob}), so nobody between can alter it unseen.
 */
export type Job = ReturnType<typeof read>
export type Message = Job['messages'][number]

export function decode(value: unknown): Job {
  const job = read(value, '$')
  if (job.messages.length === 0)
    throw new Decode.DecodeError('missing', '$.messages', 0, 'must hold at least one message')
  job.stop.forEach((stop, i) => {
    if (stop === '') throw new Decode.DecodeError('range', `$.stop[${i}]`, stop, 'must not be empty')
    if (job.stop.indexOf(stop) !== i)
      throw new Decode.DecodeError('duplicate', `$.stop[${i}]`, stop, 'stands twice')
  })
  if (job.topLogprobs > 0 && !job.logprobs)
    throw new Decode.DecodeError(
      'range',
      '$.topLogprobs',
      job.topLogprobs,
      'must be 0 where logprobs is false',
    )
  const bytes = Bytes.textLength(Canonical.encode(job))
  if (bytes > Params.jobBytesMax)
    throw new Decode.DecodeError('too-long', '$', bytes, `must have at most ${Params.jobBytesMax} bytes`)
  return job
}

/**
 * `request = H("request", saltRequest ‖ JCS(job))`: also the receipt's id, known before the work begins.
 * @example Job.digest(job, Nonce.salts(nonce).request)
 */
export function digest(job: Job, salt: Bytes.Hex): Bytes.Hex {
  return Digest.ofJson('request', job, salt)
}

/**
 * What a prompt can come to at most, for those who have no tokenizer: a token stands for at least one byte of the
 * messages, a template adds at most 64 a message, and the context bounds all.
 */
export function promptTokensMax(job: Job, contextTokens: number): number {
  const bytes = job.messages.reduce(
    (sum, message) =>
      sum +
      Bytes.textLength(message.content) +
      Bytes.textLength(message.name ?? '') +
      Params.promptTokensPerMessageMax,
    0,
  )
  return Math.min(contextTokens, bytes)
}
