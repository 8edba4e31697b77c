import { once } from 'node:events'
import { Agent, type IncomingMessage, request as open } from 'node:http'

/** What callers do: each of them sends its next request as soon as it has its last answer. */
export type Load = {
  readonly url: string
  /** API keys: the callers take them in turn. */
  readonly keys: readonly string[]
  readonly body: unknown
  readonly connections: number
  readonly seconds: number
  /** Throws where an answer is not what it should be. */
  readonly check: (text: string) => void
}

/** Requests that were answered, in how long, and the milliseconds each took. */
export type Outcome = { readonly answered: number; readonly seconds: number; readonly ms: readonly number[] }

export async function run(load: Load): Promise<Outcome> {
  const own = agent(load.connections)
  const body = Buffer.from(JSON.stringify(load.body))
  const ms: number[] = []
  const start = performance.now()
  const deadline = start + load.seconds * 1000
  async function call(key: string): Promise<void> {
    while (performance.now() < deadline) {
      const sent = performance.now()
      await ask(load, key, body, own)
      ms.push(performance.now() - sent)
    }
  }
  try {
    await Promise.all(
      Array.from({ length: load.connections }, (_, i) => call(load.keys[i % load.keys.length] ?? '')),
    )
  } finally {
    own.destroy()
  }
  return { answered: ms.length, seconds: (performance.now() - start) / 1000, ms }
}

/** Connections that are kept, at most so many. */
export function agent(connections: number): Agent {
  return new Agent({ keepAlive: true, maxSockets: connections })
}

/** Asks once; throws where it is not answered. */
export async function ask(
  { url, check }: Pick<Load, 'url' | 'check'>,
  key: string,
  body: Buffer,
  agent: Agent,
): Promise<void> {
  const request = open(url, {
    method: 'POST',
    agent,
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      'content-length': body.length,
    },
  })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  response.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(response, 'end')
  const text = Buffer.concat(chunks).toString('utf8')
  if (response.statusCode !== 200)
    throw new Error(`${url} answered ${response.statusCode}: ${text.slice(0, 500)}`)
  check(text)
}
