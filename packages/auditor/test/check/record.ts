/**
 * Records what answers of one API say under the reference weights, for calibration and for the replay in CI:
 *
 *     node --conditions=source packages/auditor/test/check/record.ts OUT.jsonl REQUESTS REFERENCE.gguf http://…/v1 NAME [HIDDEN PROMPT]
 *     node --conditions=source packages/auditor/test/check/record.ts OUT.jsonl REQUESTS REFERENCE.gguf SERVED.gguf [HIDDEN PROMPT]
 *
 * Appends, one observation a line: it can be stopped and started again.
 */
import { randomInt } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Api } from '../../src/check/Api.ts'
import * as Params from '../../src/check/Params.ts'
import * as Prompt from '../../src/check/Prompt.ts'
import { Reference } from '../../src/check/Reference.ts'
import * as EngineServer from './EngineServer.ts'

const [out = '', count = '', referencePath = '', served = '', extra, hidden] = process.argv.slice(2)
const own = /^https?:/.test(served)
  ? undefined
  : await EngineServer.serve({ modelPath: served, ...(extra !== undefined && { hiddenPrompt: extra }) })
const reference = await Reference.open({ modelPath: referencePath, threads: 1 })
const random = () => randomInt(2 ** 32) / 2 ** 32
const api = new Api(
  { url: own?.url ?? served, model: own ? 'model' : (extra ?? 'model') },
  {
    fetch: hidden === undefined ? fetch : hiding(hidden),
    sleep: (ms) => sleep(ms),
    clock: () => performance.now(),
  },
)
const start = existsSync(out) ? readFileSync(out, 'utf8').trim().split('\n').length : 0
for (let i = start; i < Number(count); ) {
  const kind = random() < Params.greedyShare ? 'greedy' : 'sampled'
  const prompt = Prompt.compose(random)
  const askedMs = Date.now()
  const answer = await api.ask({
    prompt,
    temperature: kind === 'greedy' ? 0 : 1,
    maxTokens: Params.maxTokensDefault,
    seed: randomInt(Params.seedMax),
  })
  if (answer.type !== 'reply') {
    console.error(answer)
    continue
  }
  const observation = await reference.observe({
    kind,
    prompt,
    mode: answer.mode,
    reply: answer.reply,
    askedMs,
  })
  if (!observation) continue
  if (process.env.SHOW) console.error(prompt.messages, answer.reply.text, observation)
  const short = JSON.stringify(observation, (_, value) =>
    typeof value === 'number' ? Math.round(value * 1_000) / 1_000 : value,
  )
  appendFileSync(out, `${short}\n`)
  i += 1
}
await reference[Symbol.asyncDispose]()
await own?.[Symbol.asyncDispose]()

/** A proxy before the API that puts a system message before every conversation. */
function hiding(content: string): typeof fetch {
  return (url, init) => {
    const body = JSON.parse(String(init?.body)) as { readonly messages: readonly unknown[] }
    const messages = [{ role: 'system', content }, ...body.messages]
    return fetch(url, { ...init, body: JSON.stringify({ ...body, messages }) })
  }
}
