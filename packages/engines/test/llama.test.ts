import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getLlama, LlamaLogLevel, type Token } from 'node-llama-cpp'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Engine, Llama, Params } from '../src/index.ts'
import * as Binding from '../src/llama/Binding.ts'
import * as Model from '../src/llama/Model.ts'
import * as Vocabulary from '../src/llama/Vocabulary.ts'
import { conformance } from './conformance.ts'
import { answer, job, seed } from './Jobs.ts'
import { modelPath } from './TestModel.ts'

const create = async (options: Partial<Llama.Options> = {}) =>
  Llama.create({ contextLength: 512, threads: 1, modelPath: await modelPath(), ...options })

// No test depends on the speed of the machine; a busy one computes a tenth of a quiet one.
const slow = { timeout: 300_000 }

conformance('llama', create, { mean: 0.2, each: 1.5 })

describe('the child process', slow, () => {
  test('a kill while generating is EngineCrashed for the running job; the waiting one runs in a new process', async () => {
    await using engine = await create()
    const firstPid = pidOf(engine)
    const long = job('Write a story.', { maxTokens: 400 })
    const prepared = await engine.prepare(long, { startedMs: 0 })
    const running = (async () => {
      for await (const step of engine.generate(prepared, long))
        if (step.token) process.kill(firstPid, 'SIGKILL')
    })()
    const waiting = answer(engine, job('What is the capital of Japan?'))
    await expect(running).rejects.toMatchObject({ name: 'EngineCrashed', signal: 'SIGKILL' })
    expect((await waiting).text).toContain('Tokyo')
    expect(pidOf(engine)).not.toBe(firstPid)
    expect(isAlive(firstPid)).toBe(false)
  })

  test('rests after too many crashes in a row, then serves again; one finished job makes the count begin anew', async () => {
    await using engine = await create({ crashPauseMs: 3_000 })
    const asked = job('Write a story.', { maxTokens: 4 })
    const crash = async () => {
      const prepared = await engine.prepare(asked, { startedMs: 0 })
      for await (const step of engine.generate(prepared, asked))
        if (step.token) process.kill(pidOf(engine), 'SIGKILL')
    }
    await expect(crash()).rejects.toThrow(Engine.EngineCrashed)
    expect((await answer(engine, asked)).steps.length).toBe(4)
    for (let i = 0; i < Params.crashesInARowMax; i += 1) await expect(crash()).rejects.toThrow('SIGKILL')
    await expect(answer(engine, asked)).rejects.toThrow('5 times in a row')
    const rested = async () => (await answer(engine, asked)).steps.length
    await expect.poll(() => rested().catch(() => 0), { timeout: 30_000, interval: 200 }).toBe(4)
    await expect(crash()).rejects.toThrow('SIGKILL')
    expect(await rested()).toBe(4)
  })

  test('is gone after disposal, and running jobs are told', async () => {
    const engine = await create()
    const pid = pidOf(engine)
    const running = answer(engine, job('Write a story.', { maxTokens: 400 }))
    await engine.prepare(job('Hi'), { startedMs: 0 })
    await Promise.all([engine[Symbol.asyncDispose](), expect(running).rejects.toThrow()])
    expect(isAlive(pid)).toBe(false)
  })

  test('dies with its parent, however that dies', async () => {
    const parent = spawn(process.execPath, [
      '--conditions=source',
      '--input-type=module',
      '--eval',
      `import { Llama } from ${JSON.stringify(fileURLToPath(import.meta.resolve('../src/index.ts')))}
       const engine = await Llama.create({ modelPath: ${JSON.stringify(await modelPath())}, threads: 1, contextLength: 64 })
       console.log(engine.pid)
       setInterval(() => {}, 1000)`,
    ])
    onTestFinished(() => void parent.kill('SIGKILL'))
    const [line] = await once(parent.stdout, 'data')
    const pid = Number(line)
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false)
  })

  test('a file that is no model, or is not there, is one clear error', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'not-a-model.gguf')
    await expect(create({ modelPath: path })).rejects.toThrow(path)
    await writeFile(path, 'hello')
    await expect(create({ modelPath: path })).rejects.toThrow(/not-a-model\.gguf cannot be loaded: ./)
  })

  test('options out of range are refused', async () => {
    await expect(create({ contextLength: 8193 })).rejects.toThrow('8192')
    await expect(create({ sequences: 0 })).rejects.toThrow('sequences must be an integer from 1')
    await expect(create({ threads: 1.5 })).rejects.toThrow('threads')
  })
})

test('score refuses what it cannot do', slow, async () => {
  await using engine = await create({ contextLength: 256 })
  await expect(engine.score({ prompt: [], tokens: [1], top: 1 })).rejects.toThrow('prompt')
  await expect(engine.score({ prompt: [1], tokens: Array(256).fill(1), top: 1 })).rejects.toMatchObject({
    code: 'context_length_exceeded',
    promptTokens: 1,
    contextLength: 256,
  })
  await expect(engine.score({ prompt: [1], tokens: [49_152], top: 1 })).rejects.toThrow('vocabulary')
  await expect(engine.score({ prompt: [1], tokens: [-1, 1], top: 1 })).rejects.toThrow('engine failed')
  await expect(engine.score({ prompt: [60_000], tokens: [1], top: 1 })).rejects.toThrow('engine failed')
  expect(await engine.score({ prompt: [1], tokens: [], top: 1 })).toEqual([])
  const [scored, ...more] = await engine.score({
    prompt: Array(200).fill(1),
    tokens: Array(56).fill(2),
    top: 0,
  })
  expect([scored?.top, more.length]).toEqual([[], 55])
})

test('a score longer than a chunk is the same wherever prompt and scored tokens part', slow, async () => {
  await using engine = await create()
  const { promptTokens: tokens } = await engine.prepare(job('All work and no play. '.repeat(50)), {
    startedMs: 0,
  })
  expect(tokens.length).toBeGreaterThan(Params.prefillChunkTokens + 20)
  const score = (from: number) =>
    engine.score({ prompt: tokens.slice(0, from), tokens: tokens.slice(from), top: 3 })
  const long = await score(100)
  expect(long.map((one) => one.token)).toEqual(tokens.slice(100))
  const border = Params.prefillChunkTokens
  for (const from of [border, border + 1, border + 2])
    expect(await score(from)).toEqual(long.slice(from - 100))
})

test('past keys and values in f32 are a second scoring: near the first, and not it', slow, async () => {
  await using first = await create()
  await using second = await create({ kvCache: 'f32' })
  expect([first.runtime.numerics.kvCache, second.runtime.numerics.kvCache]).toEqual(['f16', 'f32'])
  const { promptTokens } = await first.prepare(job('Tell me about the river Nile.'), { startedMs: 0 })
  const asked = { prompt: promptTokens.slice(0, 4), tokens: promptTokens.slice(4), top: 1 }
  const [one, other] = [await first.score(asked), await second.score(asked)]
  const differences = one.map(({ logprob }, i) => Math.abs(logprob - (other[i]?.logprob ?? Number.NaN)))
  const mean = differences.reduce((sum, difference) => sum + difference, 0) / differences.length
  expect(mean).toBeGreaterThan(0)
  expect(mean).toBeLessThan(0.5)
})

test('a prompt that cannot fit by its length is refused without being tokenised', slow, async () => {
  await using engine = await create({ contextLength: 64 })
  const refused = engine.prepare(job('word '.repeat(100_000)), { startedMs: 0 })
  await expect(refused).rejects.toThrow('at least ')
})

test('every token of the vocabulary has the bytes that llama.cpp gives it', async () => {
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    logLevel: LlamaLogLevel.error,
  })
  onTestFinished(() => llama.dispose())
  const model = await llama.loadModel({ modelPath: await modelPath(), vocabOnly: true })
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const entries = Model.readVocabulary(model)
  const wrong = entries.filter(
    (entry, id) => decoder.decode(Vocabulary.toBytes(entry)) !== model.detokenize([id as Token]),
  )
  expect(wrong).toEqual([])
  expect(entries.length).toBe(49_152)
})

describe('the runtime', () => {
  test('its binary is the digest of what sha256sum prints for the loaded files', async () => {
    const folder = await temporaryFolder()
    const sums: string[] = []
    for (const name of ['a.so', 'b.node']) {
      await writeFile(join(folder, name), name)
      sums.push(`${sha256(name)}  ${name}\n`)
    }
    const files = [join(folder, 'a.so'), join(folder, 'b.node')]
    expect(await Binding.digest(files)).toBe(`0x${sha256(sums.join(''))}`)
  })

  test.each([
    [['/x/libggml-base.so', '/x/libggml-cpu-haswell.so', '/x/libggml.v0.5.0.so'], 'cpu-haswell'],
    [['C:\\x\\ggml-cpu-zen4.dll'.split('\\').join('/')], 'cpu-zen4'],
    [['/x/libggml-cpu.dylib'], 'cpu'],
    [['/x/llama-addon.node'], 'cpu'],
  ])('its backend is the library that computes: %j', (files, expected) => {
    expect(Binding.backend(files)).toBe(expected)
  })
})

const exactMissing = process.platform === 'linux' && process.arch === 'x64' ? undefined : 'needs linux-x64'
if (exactMissing) console.warn(`skipped: the exact runtime ${exactMissing}`)

describe.skipIf(exactMissing)('the exact runtime', () => {
  test('prefill, decode and parallel decode are equal bit for bit', slow, async () => {
    const cacheFolder = await temporaryFolder()
    const exact = { kind: 'exact', cacheFolder } as const
    const asked = [1, 2].map((n) =>
      job('Tell me of the sea.', { temperature: 1, maxTokens: 8, samplerSeed: seed(n) }),
    )
    await using engine = await create({ variant: exact, sequences: 2, contextLength: 256 })
    expect(engine.runtime).toMatchObject({ backend: 'cpu-sse42', determinism: 'exact' })
    const alone = []
    for (const one of asked) alone.push(await answer(engine, one))
    const together = await Promise.all(asked.map((one) => answer(engine, one)))
    expect(together.map((one) => one.steps)).toEqual(alone.map((one) => one.steps))
    for (const { prepared, tokens, steps } of alone) {
      const scored = await engine.score({ prompt: prepared.promptTokens, tokens, top: 64 })
      expect(scored.map((one) => one.logprob)).toEqual(steps.map((one) => one.logprob))
    }
    // A second engine finds the copy made and works from it.
    await using again = await create({ variant: exact, contextLength: 256 })
    expect(again.runtime.binary).toBe(engine.runtime.binary)
  })
})

function pidOf(engine: Llama.LlamaEngine): number {
  if (engine.pid === undefined) throw new Error('the engine has no process')
  return engine.pid
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  // In a container whose first process reaps nobody, an orphan that is gone stays listed as a zombie.
  const stat = process.platform === 'linux' ? readFileSync(`/proc/${pid}/stat`, 'utf8') : ''
  return !stat.includes(') Z ')
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'counterfoil-engines-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}
