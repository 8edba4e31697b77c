import type { Ports, Question } from '../../src/check/Api.ts'

export type Sent = { readonly url: string; readonly headers: Headers; readonly body: Record<string, unknown> }
type Answer = (sent: Sent, n: number) => Response | Promise<Response>

/** An API that is a function, with what was sent to it and how long it was waited for. */
export function fakeApi(answer: Answer): { ports: Ports; sent: Sent[]; waits: number[] } {
  const sent: Sent[] = []
  const waits: number[] = []
  const ports: Ports = {
    fetch: async (url, init) => {
      init?.signal?.throwIfAborted()
      const one = {
        url: String(url),
        headers: new Headers(init?.headers),
        body: JSON.parse(String(init?.body)) as Record<string, unknown>,
      }
      sent.push(one)
      return answer(one, sent.length)
    },
    sleep: async (ms) => void waits.push(ms),
    clock: () => 0,
  }
  return { ports, sent, waits }
}

export const completion = (content: string, rest: object = {}) =>
  Response.json({ model: 'm', choices: [{ message: { content }, finish_reason: 'length' }], ...rest })

export const failure = (status: number, message = '', headers: Record<string, string> = {}) =>
  Response.json({ error: { message } }, { status, headers })

export const question: Question = {
  prompt: { messages: [{ role: 'user', content: 'Hi' }], text: 'Hi' },
  temperature: 0,
  maxTokens: 50,
  seed: 7,
}
