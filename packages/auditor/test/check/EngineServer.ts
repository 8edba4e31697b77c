import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { type Engine, Llama } from '@counterfoil/engines'
import { type Job, Nonce } from '@counterfoil/protocol'

type Body = {
  readonly model: string
  readonly messages: Job.Job['messages']
  readonly max_tokens: number
  readonly temperature: number
  readonly top_p: number
  readonly seed: number
  readonly logprobs?: boolean
  readonly top_logprobs?: number
}

export type EngineServer = AsyncDisposable & { readonly url: string }

/** A plain OpenAI-compatible server around our engine: what an operator would write who knows nothing of Counterfoil. */
export async function serve(options: {
  readonly modelPath: string
  /** Put before every conversation, unseen by the caller: a cheat. */
  readonly hiddenPrompt?: string
  /** The cheat that also states the usage of the prompt it was given. */
  readonly liesAboutUsage?: boolean
}): Promise<EngineServer> {
  const { modelPath } = options
  const engine = await Llama.create({ modelPath, threads: 1, contextLength: 1024 })
  const server = createServer((request, response) => {
    void (async () => {
      const body = (await json(request)) as Body
      const document = await answer(engine, body, options)
      response.setHeader('content-type', 'application/json').end(JSON.stringify(document))
    })().catch((error: unknown) => {
      response.statusCode = 500
      response.end(JSON.stringify({ error: { message: String(error) } }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/v1`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await engine[Symbol.asyncDispose]()
    },
  }
}

async function answer(
  engine: Engine.Engine,
  body: Body,
  { hiddenPrompt, liesAboutUsage }: { readonly hiddenPrompt?: string; readonly liesAboutUsage?: boolean },
): Promise<object> {
  const hidden: Job.Job['messages'] =
    hiddenPrompt === undefined ? [] : [{ role: 'system', content: hiddenPrompt }]
  const job: Job.Job = {
    schema: 'counterfoil/job/1',
    model: `0x${'00'.repeat(32)}`,
    messages: [...hidden, ...body.messages],
    maxTokens: body.max_tokens,
    samplerSeed: Nonce.samplerSeedOf(body.seed),
    temperature: body.temperature,
    topP: body.top_p,
    stop: [],
    logprobs: body.logprobs === true,
    topLogprobs: body.top_logprobs ?? 0,
  }
  const prepared = await engine.prepare(job, { startedMs: Date.now() })
  const told = liesAboutUsage
    ? await engine.prepare({ ...job, messages: body.messages }, { startedMs: Date.now() })
    : prepared
  const steps: Engine.Step[] = []
  for await (const step of engine.generate(prepared, job)) steps.push(step)
  const listed = ({ text, bytes, logprob }: Engine.Alternative) => ({
    token: text,
    bytes: [...bytes],
    logprob,
  })
  return {
    object: 'chat.completion',
    model: body.model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: steps.map(({ text }) => text).join('') },
        finish_reason: steps.at(-1)?.finish,
        logprobs: job.logprobs
          ? {
              content: steps.map((step) => ({
                ...listed({ ...step, text: Buffer.from(step.bytes).toString() }),
                top_logprobs: step.top?.map(listed),
              })),
            }
          : null,
      },
    ],
    usage: {
      prompt_tokens: told.promptTokens.length,
      completion_tokens: steps.length,
      total_tokens: told.promptTokens.length + steps.length,
    },
  }
}
