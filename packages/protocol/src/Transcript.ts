import type * as Bytes from './Bytes.ts'
import * as Decode from './Decode.ts'
import * as Job from './Job.ts'
import type { Salts } from './Nonce.ts'
import * as Offer from './Offer.ts'
import * as Output from './Output.ts'
import * as Receipt from './Receipt.ts'
import * as Trace from './Trace.ts'

/** All that the payer of one answer holds: with keys and roots from the chain, everything that {@link verify} asks for. */
export type Transcript = {
  readonly receipt: Receipt.Receipt
  readonly job: Job.Job
  readonly output: Output.Output
  readonly salts: Salts
  readonly trace: Trace.Trace
  readonly offer: Offer.SignedOffer
  /** Whose secret the nonce was: where a gateway had to pick it, the answer never counts as statistical evidence. */
  readonly nonceFrom: 'caller' | 'gateway'
}

const read: Decode.Reader<Transcript & { readonly schema: string }> = Decode.object({
  schema: Decode.literal('counterfoil/transcript/1'),
  receipt: Decode.nested(Receipt.fromJson),
  job: Decode.nested(Job.decode),
  output: Decode.nested(Output.decode),
  salts: Decode.object({ request: Decode.digest, answer: Decode.digest, trace: Decode.digest }),
  trace: Decode.nested(Trace.fromJson),
  offer: Decode.nested(Offer.fromJson),
  nonceFrom: Decode.literal('caller', 'gateway'),
})

export function toJson(transcript: Transcript): unknown {
  return {
    schema: 'counterfoil/transcript/1',
    ...transcript,
    receipt: Receipt.toJson(transcript.receipt),
    offer: Offer.toJson(transcript.offer),
  }
}

export function fromJson(value: unknown): Transcript {
  const { schema: _, ...transcript } = read(value, '$')
  return transcript
}

/** The receipt's id: the digest of the request, which the caller can compute before the answer exists. */
export function id(transcript: Transcript): Bytes.Hex {
  return transcript.receipt.claim.request
}
