import { describe, expect, test } from 'vitest'
import * as Reply from '../../src/check/Reply.ts'

const chat = (choice: object, rest: object = {}) =>
  JSON.stringify({ model: 'm', choices: [{ finish_reason: 'stop', ...choice }], ...rest })
const json = (body: string) => Reply.read('application/json', body)
const events = (...lines: readonly string[]) =>
  Reply.read('text/event-stream; charset=utf-8', lines.map((line) => `data: ${line}\n\n`).join(''))

describe('replies that count', () => {
  test('a chat completion with usage and log-probabilities', () => {
    const logprobs = {
      content: [
        {
          token: 'Hi',
          bytes: [72, 105],
          logprob: -0.1,
          top_logprobs: [
            { token: 'Hi', bytes: null, logprob: -0.1 },
            { token: 'Ho', logprob: -3 },
            { token: 'never', logprob: -9999 },
          ],
        },
      ],
    }
    const read = json(
      chat(
        { message: { role: 'assistant', content: 'Hi' }, logprobs },
        { usage: { prompt_tokens: 7, completion_tokens: 1 } },
      ),
    )
    expect(read).toEqual({
      type: 'reply',
      reply: {
        text: 'Hi',
        finish: 'stop',
        model: 'm',
        promptTokens: 7,
        outputTokens: 1,
        steps: [
          {
            bytes: Uint8Array.of(72, 105),
            top: [
              { bytes: new TextEncoder().encode('Hi'), logprob: -0.1 },
              { bytes: new TextEncoder().encode('Ho'), logprob: -3 },
            ],
          },
        ],
      },
    })
  })

  test('without usage, model or log-probabilities', () => {
    expect(
      json('{"choices":[{"message":{"content":"Hi"},"finish_reason":"length","logprobs":null}]}'),
    ).toEqual({
      type: 'reply',
      reply: {
        text: 'Hi',
        finish: 'length',
        model: null,
        promptTokens: null,
        outputTokens: null,
        steps: null,
      },
    })
  })

  test('a text completion with its own form of log-probabilities', () => {
    const read = json(
      chat({ text: 'Hi', logprobs: { tokens: ['Hi'], top_logprobs: [{ Hi: -0.5, Ho: -1 }] } }),
    )
    expect(read).toMatchObject({
      type: 'reply',
      reply: { text: 'Hi', steps: [{ top: [{ logprob: -0.5 }, { logprob: -1 }] }] },
    })
  })

  test('a stream, sent unasked, is put together', () => {
    const read = events(
      '{"model":"m","choices":[{"delta":{"role":"assistant","content":"Good "}}]}',
      '{"model":"m","choices":[{"delta":{"content":"day"}}]}',
      '{"model":"m","choices":[{"delta":{},"finish_reason":"length"}]}',
      '{"model":"m","choices":[],"usage":{"prompt_tokens":5}}',
      '[DONE]',
    )
    expect(read).toMatchObject({ reply: { text: 'Good day', finish: 'length', promptTokens: 5 } })
  })
})

describe('replies that are named and not counted', () => {
  test.each<[string, Reply.Read, Reply.Unusable]>([
    ['half a document', json('{"choices":[{"message":{"con'), 'truncated'],
    ['no finish reason', json('{"choices":[{"message":{"content":"Hi"}}]}'), 'truncated'],
    ['a stream without its end', events('{"choices":[{"delta":{"content":"Hi"}}]}'), 'truncated'],
    [
      'a stream with its end and no finish reason',
      events('{"choices":[{"delta":{"content":"Hi"}}]}', '[DONE]'),
      'truncated',
    ],
    ['another document', json('{"choices":"none"}'), 'malformed'],
    ['null', json('null'), 'malformed'],
    ['no choice', json('{"choices":[]}'), 'malformed'],
    [
      'a finish reason nobody knows',
      json(chat({ message: { content: 'Hi' }, finish_reason: 'tired' })),
      'malformed',
    ],
    [
      'negative usage',
      json(chat({ message: { content: 'Hi' } }, { usage: { prompt_tokens: -1 } })),
      'malformed',
    ],
    ['no text', json(chat({ message: { content: '' } })), 'empty'],
    [
      'more text than anybody asked for',
      json(chat({ message: { content: 'x'.repeat(65_537) } })),
      'too-long',
    ],
    ['null for text', json(chat({ message: { content: null } })), 'empty'],
    ['reasoning', json(chat({ message: { content: 'Hi', reasoning_content: 'Hm' } })), 'reasoning'],
    ['reasoning by its other name', json(chat({ message: { content: 'Hi', reasoning: 'Hm' } })), 'reasoning'],
    ['a tool call', json(chat({ message: { content: null, tool_calls: [{}] } })), 'tool-calls'],
    ['a filter', json(chat({ message: { content: 'H' }, finish_reason: 'content_filter' })), 'filtered'],
  ])('%s', (_, read, why) => {
    expect(read).toEqual({ type: 'unusable', why })
  })
})
