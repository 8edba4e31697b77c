// Reference weights by digest alone: fetched from a mirror into an empty store, and loaded.
import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Llama } from '@counterfoil/engines'
import { defaultModel, defaultStoreDir, PullError, pull, Store } from '@counterfoil/models'
import { Audit, type Job, ModelManifest, Score, Trace } from '@counterfoil/protocol'
import { expect, test } from 'vitest'
import { compose } from '../src/Composer.ts'
import * as Reading from '../src/Reading.ts'
import * as Scorer from '../src/Scorer.ts'
import * as Weights from '../src/Weights.ts'

const { manifest } = defaultModel

test('honest answers score 0 and read as they were told, at temperature 0 and up to a stop string', async () => {
  const store = await Store.open({ dir: defaultStoreDir(process.env) })
  await pull(store, defaultModel)
  const modelPath = Store.path(store, manifest.files[0].sha256)
  await using engine = await Llama.create({ modelPath, contextLength: 512, sequences: 1, threads: 1 })
  await using scorer = await Scorer.open({ modelPath, contextLength: 512, threads: 1 })
  const ask = (change: Partial<Job.Job>): Job.Job => {
    const { audit } = compose(() => 0.4, { model: ModelManifest.id(manifest), contextTokens: 512 })
    return { ...Audit.job(audit, `0x${'5e'.repeat(32)}`), topP: 1, maxTokens: 24, ...change }
  }
  for (const job of [
    ask({ temperature: 0, stop: [] }),
    ask({ temperature: 1, stop: [] }),
    ask({ temperature: 0, stop: [' the', ' a'] }),
    ask({ temperature: 1, stop: [' the', ' a', '.'] }),
  ]) {
    const prepared = await engine.prepare(job, { startedMs: 0 })
    const tokens: Trace.Token[] = []
    let text = ''
    let finish: string | undefined
    for await (const step of engine.generate(prepared, job)) {
      tokens.push({ id: step.token, logprob: Trace.quantize(step.logprob) })
      text += step.text
      finish = step.finish ?? finish
    }
    const reading = Reading.of(
      tokens.map(({ id }) => id),
      { vocabulary: scorer.vocabulary, stop: job.stop },
    )
    expect(reading.text).toBe(text)
    expect(reading.endedAt !== undefined).toBe(finish === 'stop')
    if (reading.endedAt !== undefined) expect(reading.endedAt).toBe(tokens.length - 1)
    const second = { where: 'answer', logprobFactor: 1_000 } as const
    const { promptTokens, statistics } = await scorer.score({ job, startedMs: 0, tokens, second })
    expect(promptTokens).toBe(prepared.promptTokens.length)
    expect(Score.answer(statistics, 1_000)).toBeLessThan(20_000)
  }
}, 300_000)

test('a model is started on from its manifest and a mirror; without one it is named as missing', async () => {
  const here = await Store.open({ dir: defaultStoreDir(process.env) })
  await pull(here, defaultModel)
  const asked: string[] = []
  const server = createServer((request, response) => {
    const name = basename(request.url ?? '')
    asked.push(name)
    response.writeHead(200, { 'content-length': manifest.files[0].size })
    createReadStream(Store.path(here, `0x${name}`)).pipe(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const dir = mkdtempSync(join(tmpdir(), 'counterfoil-auditor-'))
  try {
    const store = await Store.open({ dir })
    const { signal } = new AbortController()
    const model = ModelManifest.id(manifest)
    {
      await using without = Weights.create({ store, models: [], threads: 1 })
      await expect(without.obtain(manifest, signal)).rejects.toBeInstanceOf(PullError)
      await expect(without(model)).rejects.toBeInstanceOf(Weights.ModelUnknownError)
    }
    const mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}/blobs/sha256/`
    await using references = Weights.create({ store, models: [], threads: 1, mirrors: [mirror] })
    await references.obtain(manifest, signal)
    expect(asked).toEqual([manifest.files[0].sha256.slice(2)])
    const scorer = await references(model)
    expect(new Set(await scorer.references()).size).toBe(2)
  } finally {
    server.closeAllConnections()
    server.close()
    rmSync(dir, { recursive: true })
  }
}, 300_000)
