import { Trace } from '../../src/index.ts'
import * as Example from '../Example.ts'
import { type Case, invalidJson, type Vectors } from './Vectors.ts'

const salt = Example.salts.trace

function valid(name: string, tokens: readonly Trace.Token[]): Case {
  const trace = Trace.encode([tokens])
  return { name, tokens, trace, salt, root: Trace.root(trace, salt) }
}

// Ties lie half-way between two units of 1/1024 nat; expected values are written out, not computed.
const quantized: readonly (readonly [nats: number, logprob: number])[] = [
  [0, 0],
  [-0.0001, 0],
  [-0.5, -512],
  [-0.5 / 1024, 0],
  [-1.5 / 1024, -2],
  [-2.5 / 1024, -2],
  [-3.5 / 1024, -4],
  [-2.501 / 1024, -3],
  [-2.499 / 1024, -2],
  [-31.9995, -32767],
  [-32, -32768],
  [-1000, -32768],
  [0.001, 0],
]

export const trace: Vectors = {
  valid: [
    valid('nothing sampled', []),
    valid('one token', [{ id: 5, logprob: -12 }]),
    valid('least and most', [
      { id: 0, logprob: 0 },
      { id: 0xffffffff, logprob: -32768 },
    ]),
    valid('a leaf less a token', Example.tokens.slice(0, 31)),
    valid('a whole leaf', Example.tokens.slice(0, 32)),
    valid('a leaf and a token', Example.tokens.slice(0, 33)),
    valid('40 tokens', Example.tokens),
    valid('five leaves', [
      ...Example.tokens,
      ...Example.tokens,
      ...Example.tokens,
      ...Example.tokens.slice(0, 10),
    ]),
    ...quantized.map(([nats, logprob]) => ({ name: `${nats} nat`, nats, logprob })),
  ],
  invalid: invalidJson(Example.trace, [
    ['part of a token', ['choices', 0], '0x0000000500', 'length', '$.choices[0]'],
    ['a log-probability above 0', ['choices', 0], '0x000000050001', 'range', '$.choices[0] token 0'],
    ['a second token above 0', ['choices', 0], '0x00000005ffff000000057fff', 'range', '$.choices[0] token 1'],
    ['an odd digit', ['choices', 0], '0x00000005fff', 'hex', '$.choices[0]'],
    ['upper case', ['choices', 0], '0x00000005FFFF', 'hex', '$.choices[0]'],
    ['two choices', ['choices'], ['0x', '0x'], 'too-many', '$.choices'],
    ['no choices', ['choices'], undefined, 'missing', '$.choices'],
  ]),
}
