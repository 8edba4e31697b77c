import { randomInt } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import { Api } from '../../src/check/Api.ts'
import type { Observation } from '../../src/check/Observation.ts'
import * as Params from '../../src/check/Params.ts'
import * as Prompt from '../../src/check/Prompt.ts'
import { type Asked, Reference } from '../../src/check/Reference.ts'
import * as EngineServer from './EngineServer.ts'
import * as OtherServer from './OtherServer.ts'
import * as Recording from './Recording.ts'
import { type Subject, subjects } from './Subjects.ts'

// Records what answers of real APIs say under the reference weights; the calibration of `foil check` and its tests rest on it.
//
//     node --conditions=source packages/auditor/test/check/record.ts --python VENV/bin/python
//
// --only a,b      these alone
// --seconds 240   stops after that long; the next run goes on (a kill loses at most 20 answers)
// --python FILE   a Python with llama-cpp-python and its server: pip install --no-binary llama-cpp-python 'llama-cpp-python[server]'
// --weights DIR   q8_0.gguf, q5_0.gguf, q4_0.gguf, noise.gguf, pruned.gguf: made by packages/testnet/lab/requantize.sh

const storeDir = defaultStoreDir(process.env)
const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seconds: { type: 'string', default: '86400' },
    python: { type: 'string', default: 'python3' },
    weights: { type: 'string', default: join(dirname(storeDir), 'lab') },
    folder: { type: 'string', default: join(import.meta.dirname, 'recordings') },
  },
})
const saveEvery = 20
/** Each prompt serves for an answer of each kind: they are judged apart, and a server need not read it twice. */
let spare: { readonly kind: Observation['kind']; readonly prompt: Prompt.Prompt } | undefined
const until = performance.now() + 1_000 * Number(values.seconds)
const names = values.only?.split(',') ?? subjects.map(({ name }) => name)
const unknown = names.filter((name) => !subjects.some((subject) => subject.name === name))
if (unknown.length > 0)
  throw new RangeError(`no such subject: ${unknown}; there are ${subjects.map(({ name }) => name)}`)

const store = await Store.open({ dir: storeDir })
await pull(store, defaultModel)
const [declared] = defaultModel.manifest.files
const declaredPath = Store.path(store, declared.sha256)
mkdirSync(values.folder, { recursive: true })
await using reference = await Reference.open({ modelPath: declaredPath, threads: 1 })
const { engine, version, backend } = reference.runtime
const ownEngine = `${engine} ${version} ${backend}`
for (const subject of subjects)
  if (names.includes(subject.name) && performance.now() < until) await record(subject)

async function record(subject: Subject): Promise<void> {
  const path = join(values.folder, `${subject.name}.jsonl.gz`)
  const modelPath = pathOf(subject)
  const found = Recording.read(path)
  if (!wanting(subject, found?.observations ?? [])) return
  await using server =
    subject.server === 'own'
      ? { ...(await EngineServer.serve({ ...subject, modelPath })), engine: ownEngine }
      : await OtherServer.serve({ python: values.python, modelPath })
  const header: Recording.Header = {
    schema: 'counterfoil/check-recording/1',
    engine: server.engine,
    servedSha256: await Store.hash(modelPath),
    hiddenPrompt: subject.hiddenPrompt ?? null,
    referenceEngine: ownEngine,
    referenceSha256: declared.sha256,
  }
  if (found && JSON.stringify(found.header) !== JSON.stringify(header))
    throw new Error(
      `${path} was recorded with ${JSON.stringify(found.header)}, not with ${JSON.stringify(header)}`,
    )
  const api = new Api(
    { url: server.url, model: 'model' },
    {
      fetch:
        subject.server === 'other' && subject.hiddenPrompt !== undefined
          ? hiding(subject.hiddenPrompt)
          : fetch,
      sleep: (ms) => sleep(ms),
      clock: () => performance.now(),
    },
  )
  const observations = [...(found?.observations ?? [])]
  const save = () => Recording.write(path, { header, observations })
  // The next answer is written while the last is scored: one thread each.
  let asked = wanting(subject, observations) ? ask(api, subject, observations) : undefined
  let uselessInARow = 0
  while (asked) {
    const one = await asked
    uselessInARow = one ? 0 : uselessInARow + 1
    if (uselessInARow === Params.uselessInARowMax) throw new Error(`${subject.name}: it does not answer`)
    const observed = one && reference.observe(one)
    asked =
      performance.now() < until && wanting(subject, observations, one?.kind)
        ? ask(api, subject, observations, one?.kind)
        : undefined
    const observation = await observed
    if (observation) observations.push(observation)
    if (observations.length % saveEvery === 0) save()
  }
  save()
  console.error(
    `${subject.name}: ${observations.length} of ${subject.answers.greedy + subject.answers.sampled}`,
  )
}

/** The kind of which the most is missing; undefined where nothing is. `pending` is being scored. */
function wanting(
  { answers }: Subject,
  observations: readonly Observation[],
  pending?: Observation['kind'],
): Observation['kind'] | undefined {
  const done = (kind: Observation['kind']) =>
    (observations.filter((one) => one.kind === kind).length + Number(kind === pending)) / answers[kind]
  const [greedy, sampled] = [done('greedy'), done('sampled')]
  if (greedy >= 1 && sampled >= 1) return undefined
  return greedy <= sampled ? 'greedy' : 'sampled'
}

async function ask(
  api: Api,
  subject: Subject,
  observations: readonly Observation[],
  pending?: Observation['kind'],
): Promise<Asked | undefined> {
  const kind = wanting(subject, observations, pending) ?? 'greedy'
  const prompt = promptFor(kind)
  const askedMs = Date.now()
  const answer = await api.ask({
    prompt,
    temperature: kind === 'greedy' ? 0 : 1,
    maxTokens: Params.maxTokensDefault,
    seed: randomInt(Params.seedMax),
  })
  if (answer.type === 'reply') return { kind, prompt, mode: answer.mode, reply: answer.reply, askedMs }
  console.error(subject.name, answer)
  return undefined
}

function promptFor(kind: Observation['kind']): Prompt.Prompt {
  const kept = spare?.kind === kind ? spare.prompt : undefined
  const prompt = kept ?? Prompt.compose(() => randomInt(2 ** 32) / 2 ** 32)
  spare = kept ? undefined : { kind: kind === 'greedy' ? 'sampled' : 'greedy', prompt }
  return prompt
}

function pathOf({ weights }: Subject): string {
  if (weights === 'declared') return declaredPath
  return join(values.weights, `${weights}.gguf`)
}

/** A proxy before the API that puts a system message before every conversation. */
function hiding(content: string): typeof fetch {
  return (url, init) => {
    const body = JSON.parse(String(init?.body)) as { readonly messages: readonly unknown[] }
    const messages = [{ role: 'system', content }, ...body.messages]
    return fetch(url, { ...init, body: JSON.stringify({ ...body, messages }) })
  }
}
