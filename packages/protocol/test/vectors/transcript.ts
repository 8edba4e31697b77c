import { Transcript } from '../../src/index.ts'
import * as Example from '../Example.ts'
import { type Case, invalidJson, type Vectors } from './Vectors.ts'

const valid = (name: string, transcript: Transcript.Transcript): Case => ({
  name,
  transcript: Transcript.toJson(transcript),
  id: Transcript.id(transcript),
})

export const transcript: Vectors = {
  valid: [
    valid("the caller's own nonce", Example.transcript),
    valid("the gateway's nonce, no proof yet", {
      ...Example.transcript,
      nonceFrom: 'gateway',
      receipt: { ...Example.receipt, evidence: [] },
    }),
  ],
  invalid: invalidJson(Transcript.toJson(Example.transcript), [
    ['another schema', ['schema'], 'counterfoil/transcript/2', 'range', '$.schema'],
    ['no receipt', ['receipt'], undefined, 'missing', '$.receipt'],
    ['no salt of the trace', ['salts', 'trace'], undefined, 'missing', '$.salts.trace'],
    ['a salt of 31 bytes', ['salts', 'answer'], `0x${'00'.repeat(31)}`, 'hex', '$.salts.answer'],
    ['a nonce from nowhere', ['nonceFrom'], 'provider', 'range', '$.nonceFrom'],
    ['a job that does not decode', ['job', 'maxTokens'], 0, 'range', '$.job.maxTokens'],
    ['an output that does not decode', ['output', 'choices'], [], 'missing', '$.output.choices'],
    ['a trace of part of a token', ['trace', 'choices', 0], '0x00', 'length', '$.trace.choices[0]'],
    [
      'an offer without validity',
      ['offer', 'offer', 'validity'],
      undefined,
      'missing',
      '$.offer.offer.validity',
    ],
  ]),
}
