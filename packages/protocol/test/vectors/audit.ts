import { Audit, Bytes, Canonical } from '../../src/index.ts'
import * as Example from '../Example.ts'
import { type Case, invalidJson, type Vectors } from './Vectors.ts'

const { samplerSeed: _, ...job } = Example.job
const honest = { schema: 'counterfoil/audit/1', language: 'en', job }
const secret: Bytes.Hex = `0x${'5c'.repeat(32)}`
const beacons: readonly Bytes.Hex[] = ['00', '01', '02', '03', 'be', 'ff'].map(
  (byte): Bytes.Hex => `0x${byte.repeat(32)}`,
)

function valid(name: string, json: unknown): Case {
  const audit = Audit.decode(json)
  const digest = Audit.digest(audit)
  return {
    name,
    audit,
    canonical: Canonical.encode(audit),
    digest,
    secret,
    leaf: Audit.leaf({ secret, audit: digest }),
    draws: beacons.map((beacon) => {
      const nonce = Audit.nonce(secret, beacon)
      return { beacon, isUsed: Audit.isUsed(secret, beacon), nonce, request: Audit.request(audit, nonce) }
    }),
  }
}

export const audit: Vectors = {
  valid: [
    valid('an audit', honest),
    valid('another language', { ...honest, language: 'de' }),
    valid('greedy, with log-probabilities', {
      ...honest,
      job: { ...job, temperature: 0, topP: 1, stop: [], logprobs: true, topLogprobs: 5 },
    }),
  ],
  invalid: invalidJson(honest, [
    ['another schema', ['schema'], 'counterfoil/job/1', 'range', '$.schema'],
    ['no job', ['job'], undefined, 'missing', '$.job'],
    ['a job that is no object', ['job'], [], 'type', '$.job'],
    ['a seed of its own', ['job', 'samplerSeed'], Bytes.zero32, 'unknown-field', '$.job.samplerSeed'],
    ['a job without messages', ['job', 'messages'], [], 'missing', '$.job.messages'],
    ['a language tag too long', ['language'], 'en-GB-oxendict', 'too-long', '$.language'],
  ]),
}
