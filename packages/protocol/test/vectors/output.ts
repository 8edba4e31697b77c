import { Canonical, Output } from '../../src/index.ts'
import * as Example from '../Example.ts'
import { type Case, invalidJson, type Vectors } from './Vectors.ts'

function valid(name: string, json: unknown): Case {
  const output = Output.decode(json)
  return {
    name,
    output,
    salt: Example.salts.answer,
    canonical: Canonical.encode(output),
    digest: Output.digest(output, Example.salts.answer),
  }
}

const choice = { message: { role: 'assistant', content: 'Hé' }, finish: 'length' }
const logprob = { token: 'H', bytes: '0x48', logprob: -512 }
const withLogprobs = (logprobs: unknown) => ({ ...Example.output, choices: [{ ...choice, logprobs }] })

export const output: Vectors = {
  valid: [
    valid('an answer', Example.output),
    valid('nothing said', {
      ...Example.output,
      choices: [{ ...choice, message: { role: 'assistant', content: '' } }],
      usage: { promptTokens: 0, cachedTokens: 0, outputTokens: 0 },
    }),
    valid(
      'log-probabilities; a token that is half a character',
      withLogprobs([
        { ...logprob, top: [logprob, { token: 'I', bytes: '0x49', logprob: -32768 }] },
        { token: '\ufffd', bytes: '0xc3', logprob: 0, top: [] },
      ]),
    ),
    valid('log-probabilities asked for, nothing sampled', withLogprobs([])),
  ],
  invalid: [
    ...invalidJson(Example.output, [
      ['another schema', ['schema'], 'counterfoil/output/2', 'range', '$.schema'],
      ['no choice', ['choices'], [], 'missing', '$.choices'],
      ['two choices', ['choices'], [choice, choice], 'too-many', '$.choices'],
      ['a user speaks', ['choices', 0, 'message', 'role'], 'user', 'range', '$.choices[0].message.role'],
      ['no content', ['choices', 0, 'message', 'content'], null, 'type', '$.choices[0].message.content'],
      [
        'half a character',
        ['choices', 0, 'message', 'content'],
        '\udc00',
        'unicode',
        '$.choices[0].message.content',
      ],
      ['an unknown finish', ['choices', 0, 'finish'], 'eos', 'range', '$.choices[0].finish'],
      ['usage left out', ['usage'], undefined, 'missing', '$.usage'],
      ['negative usage', ['usage', 'outputTokens'], -1, 'range', '$.usage.outputTokens'],
      ['usage past the limit', ['usage', 'outputTokens'], 131_073, 'range', '$.usage.outputTokens'],
    ]),
    {
      name: 'log-probability above 0',
      json: withLogprobs([{ ...logprob, logprob: 1, top: [] }]),
      error: 'range',
      at: '$.choices[0].logprobs[0].logprob',
    },
    {
      name: 'log-probability below i16',
      json: withLogprobs([{ ...logprob, logprob: -32769, top: [] }]),
      error: 'range',
      at: '$.choices[0].logprobs[0].logprob',
    },
    {
      name: "an alternative's log-probability above 0",
      json: withLogprobs([{ ...logprob, top: [{ ...logprob, logprob: 1 }] }]),
      error: 'range',
      at: '$.choices[0].logprobs[0].top[0].logprob',
    },
    {
      name: '21 alternatives',
      json: withLogprobs([{ ...logprob, top: Array(21).fill(logprob) }]),
      error: 'too-many',
      at: '$.choices[0].logprobs[0].top',
    },
    {
      name: 'bytes in upper case',
      json: withLogprobs([{ ...logprob, bytes: '0xC3', top: [] }]),
      error: 'hex',
      at: '$.choices[0].logprobs[0].bytes',
    },
  ],
}
