import { ChatRequest, Job } from '../../src/index.ts'
import * as Example from '../Example.ts'
import { type Case, invalidJson, type Vectors } from './Vectors.ts'

const { model, nonce } = Example
const messages = [{ role: 'user', content: 'Hi' }]

function valid(name: string, request: Readonly<Record<string, unknown>>): Case {
  const derived = ChatRequest.toJob(request, { model, nonce })
  if (!derived.ok) throw new Error(`${name}: ${derived.refusal.message}`)
  const { job, transport } = derived
  const salt = Example.salts.request
  return { name, request, model, nonce, job, transport, salt, digest: Job.digest(job, salt) }
}

const refused = (
  name: string,
  change: Readonly<Record<string, unknown>>,
  error: string,
  param: string | null,
): Case => ({ name, request: { model: 'm', messages, ...change }, model, nonce, error, param })

const content = (value: unknown) => ({ messages: [{ role: 'user', content: value }] })
const unsupported = (param: string, value: unknown) =>
  refused(`${param} ${JSON.stringify(value)}`, { [param]: value }, 'unsupported_parameter', param)
const wrong = (param: string, value: unknown, error = 'invalid_value', at = param) =>
  refused(`${param} ${JSON.stringify(value)}`, { [param]: value }, error, at)

export const job: Vectors = {
  valid: [
    valid('every default', { model: 'm', messages }),
    valid('every parameter', {
      model: 'm',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Größe? 🦊', name: 'ada' },
        { role: 'assistant', content: '' },
      ],
      max_completion_tokens: 131_072,
      seed: -42,
      temperature: 0.25,
      top_p: 0.5,
      stop: ['a', 'b', 'c', 'd'],
      logprobs: true,
      top_logprobs: 20,
      stream: true,
      stream_options: { include_usage: true },
    }),
    valid('developer is system', { messages: [{ role: 'developer', content: 'x' }] }),
    valid('max_tokens is max_completion_tokens', { messages, max_tokens: 7 }),
    valid('both names, one number', { messages, max_tokens: 7, max_completion_tokens: 7 }),
    valid('one stop string', { messages, stop: 'END' }),
    valid('a stop string twice', { messages, stop: ['b', 'a', 'b'] }),
    valid(
      'text parts joined by line feeds',
      content([
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ]),
    ),
    valid('no parts', content([])),
    valid('null means left out', {
      messages,
      seed: null,
      temperature: null,
      stop: null,
      tools: null,
      max_tokens: null,
    }),
    valid('transport only', {
      messages,
      stream: false,
      user: 'u',
      metadata: { a: 'b' },
      store: true,
      service_tier: 'auto',
      safety_identifier: 's',
      prompt_cache_key: 'k',
      prompt_cache_retention: '24h',
      parallel_tool_calls: true,
    }),
    valid('what is not supported, not used', {
      messages: [{ role: 'assistant', content: 'x', tool_calls: [], refusal: null }, ...messages],
      n: 1,
      frequency_penalty: 0,
      presence_penalty: 0,
      logit_bias: {},
      tools: [],
      functions: [],
      tool_choice: 'auto',
      function_call: 'none',
      response_format: { type: 'text' },
      modalities: ['text'],
    }),
    valid('minus zero is zero', { messages, temperature: -0, top_p: -0 }),
    valid('the least of each', { messages, temperature: 0, top_p: 0, max_completion_tokens: 1, seed: 0 }),
  ],
  invalid: [
    { name: 'no object', request: [], model, nonce, error: 'invalid_type', param: null },
    {
      name: 'no messages',
      request: { model: 'm' },
      model,
      nonce,
      error: 'missing_required_parameter',
      param: 'messages',
    },
    ...[
      unsupported('n', 2),
      unsupported('frequency_penalty', 0.1),
      unsupported('presence_penalty', -1),
      unsupported('logit_bias', { '50256': -100 }),
      unsupported('tools', [{ type: 'function' }]),
      unsupported('functions', [{ name: 'f' }]),
      unsupported('tool_choice', 'required'),
      unsupported('function_call', { name: 'f' }),
      unsupported('response_format', { type: 'json_object' }),
      unsupported('modalities', ['text', 'audio']),
      unsupported('audio', { voice: 'alloy' }),
      unsupported('prediction', { type: 'content' }),
      unsupported('reasoning_effort', 'low'),
      unsupported('verbosity', 'low'),
      unsupported('web_search_options', {}),
      unsupported('moderation', {}),
    ],
    refused('an unknown parameter', { top_k: 40 }, 'unknown_parameter', 'top_k'),
    wrong('messages', 'Hi', 'invalid_type'),
    wrong('messages', []),
    wrong('messages', ['Hi'], 'invalid_type', 'messages[0]'),
    wrong('messages', [{ role: 'tool', content: 'x' }], 'invalid_value', 'messages[0].role'),
    wrong('messages', [{ role: { of: 'user' }, content: 'x' }], 'invalid_value', 'messages[0].role'),
    wrong('messages', [{ content: 'x' }], 'invalid_value', 'messages[0].role'),
    wrong('messages', [{ role: 'user' }], 'invalid_type', 'messages[0].content'),
    wrong('messages', [{ role: 'user', content: 7 }], 'invalid_type', 'messages[0].content'),
    wrong('messages', [{ role: 'user', content: 'x', name: 7 }], 'invalid_type', 'messages[0].name'),
    wrong('messages', [{ role: 'user', content: '\ud800' }], 'invalid_value', 'messages[0].content'),
    wrong(
      'messages',
      [{ role: 'assistant', content: '', tool_calls: [{}] }],
      'unsupported_parameter',
      'messages[0].tool_calls',
    ),
    wrong(
      'messages',
      [{ role: 'user', content: [{ type: 'image_url' }] }],
      'unsupported_parameter',
      'messages[0].content[0]',
    ),
    wrong(
      'messages',
      [{ role: 'user', content: [{ type: 'text' }] }],
      'invalid_type',
      'messages[0].content[0].text',
    ),
    wrong('max_completion_tokens', 0),
    wrong('max_completion_tokens', 131_073),
    wrong('max_completion_tokens', 1.5),
    wrong('max_completion_tokens', '7', 'invalid_type'),
    wrong('max_tokens', -1),
    refused(
      'two different limits',
      { max_tokens: 1, max_completion_tokens: 2 },
      'invalid_value',
      'max_tokens',
    ),
    wrong('temperature', 2.01),
    wrong('temperature', -0.01),
    wrong('temperature', '1', 'invalid_type'),
    wrong('top_p', 1.01),
    wrong('top_p', -1),
    wrong('seed', 2 ** 53),
    wrong('seed', 0.5),
    wrong('stop', ['a', 'b', 'c', 'd', 'e']),
    wrong('stop', 7, 'invalid_type'),
    wrong('stop', [7], 'invalid_type', 'stop[0]'),
    wrong('stop', '', 'invalid_value', 'stop[0]'),
    refused('a stop string of 257 bytes', { stop: 'x'.repeat(257) }, 'invalid_value', 'stop[0]'),
    wrong('logprobs', 1, 'invalid_type'),
    wrong('top_logprobs', 1),
    refused('21 alternatives', { logprobs: true, top_logprobs: 21 }, 'invalid_value', 'top_logprobs'),
    wrong('stream', 'yes', 'invalid_type'),
    wrong('stream_options', {}),
    refused(
      'stream options as text',
      { stream: true, stream_options: 'x' },
      'invalid_type',
      'stream_options',
    ),
    refused(
      'include_usage as text',
      { stream: true, stream_options: { include_usage: 'x' } },
      'invalid_type',
      'stream_options.include_usage',
    ),
    ...invalidJson(Example.job, [
      ['another schema', ['schema'], 'counterfoil/job/2', 'range', '$.schema'],
      ['no model', ['model'], undefined, 'missing', '$.model'],
      ['a model by name', ['model'], 'smollm2', 'hex', '$.model'],
      ['no messages, in the job', ['messages'], [], 'missing', '$.messages'],
      ['2049 messages', ['messages'], Array(2049).fill(0), 'too-many', '$.messages'],
      ['an alias in the job', ['messages', 0, 'role'], 'developer', 'range', '$.messages[0].role'],
      ['parts in the job', ['messages', 0, 'content'], [], 'type', '$.messages[0].content'],
      ['no limit', ['maxTokens'], 0, 'range', '$.maxTokens'],
      ['a limit past the limit', ['maxTokens'], 131_073, 'range', '$.maxTokens'],
      ['a seed as a number', ['samplerSeed'], 7, 'hex', '$.samplerSeed'],
      ['a temperature above 2', ['temperature'], 2.5, 'range', '$.temperature'],
      ['top-p above 1', ['topP'], 1.5, 'range', '$.topP'],
      ['five stop strings', ['stop'], ['a', 'b', 'c', 'd', 'e'], 'too-many', '$.stop'],
      ['an empty stop string', ['stop'], [''], 'range', '$.stop[0]'],
      ['a stop string twice, in the job', ['stop'], ['a', 'a'], 'duplicate', '$.stop[1]'],
      ['alternatives without log-probabilities', ['topLogprobs'], 1, 'range', '$.topLogprobs'],
    ]),
  ],
}
