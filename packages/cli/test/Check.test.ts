import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { CheckParams } from '@counterfoil/auditor'
import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import { beforeAll, describe, expect, test } from 'vitest'
import { foil, home } from './Foil.ts'

const key = 'sk-of-somebody'

/** An API that gives everybody the same answer; the reference is the real model. */
async function fakeApi(
  status: number,
  body: object,
  onRequest?: () => void,
): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      onRequest?.()
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describe('foil check', { timeout: 600_000 }, () => {
  let reference = ''
  beforeAll(async () => {
    const store = await Store.open({ dir: defaultStoreDir(process.env) })
    await pull(store, defaultModel)
    reference = Store.path(store, defaultModel.manifest.files[0].sha256)
  }, 600_000)

  const check = async (url: string, dir: string, ...more: readonly string[]) =>
    await foil(dir, ['check', url, '--model', 'm', '--reference', reference, '--threads', '1', ...more], {
      env: { COUNTERFOIL_CHECK_API_KEY: key },
    })

  test('an API that says the same to everybody: 4, a report in both forms, the key in neither', async () => {
    const content =
      'The harbour was quiet that morning, and nobody had seen the three grey horses leave the market.'
    await using api = await fakeApi(200, {
      model: 'm',
      choices: [{ message: { content }, finish_reason: 'stop' }],
    })
    using own = home()
    const report = join(own.dir, 'report')
    const { code, stdout } = await check(api.url, own.dir, '--report', report)
    expect(code).toBe(4)
    expect(stdout).toMatch(/is not consistent with the reference .*, by .*tokens at temperature 0/)
    expect(stdout).toMatch(/chance that this is wrong: at most 0\.001/)
    const [json = '', html = ''] = ['check.json', 'check.html'].map((name) =>
      readFileSync(join(report, name), 'utf8'),
    )
    expect(JSON.parse(json)).toMatchObject({
      schema: 'counterfoil/check/1',
      outcome: 'not-consistent',
      errorBound: 0.001,
      uncounted: {},
    })
    expect(html).toContain('<h1>Not consistent</h1>')
    for (const text of [stdout, json, html]) expect(text).not.toContain(key)
  })

  test('an API that refuses the key: 5 at once, with its words and without the key', async () => {
    await using api = await fakeApi(401, { error: { message: `no such key: ${key}` } })
    using own = home()
    const { code, stdout } = await check(api.url, own.dir, '--json')
    expect(code).toBe(5)
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: 'cannot-tell',
      reason: 'unauthorized',
      detail: '401 no such key: [key]',
      cost: { requests: 1, counted: 0 },
    })
    expect(existsSync(join(own.dir, 'report'))).toBe(false)
  })

  test('Ctrl-C: 5, with what was counted until then, in both forms', async () => {
    let [asked, pid] = [0, 0]
    const choices = [{ message: { content: 'Yes.' }, finish_reason: 'stop' }]
    await using api = await fakeApi(200, { choices }, () => {
      asked += 1
      if (asked === 3) process.kill(pid, 'SIGINT')
    })
    using own = home()
    const args = ['--model', 'm', '--reference', reference, '--threads', '1', '--report', join(own.dir, 'r')]
    const { code, stdout } = await foil(own.dir, ['check', api.url, ...args], {
      onStart: (child) => {
        pid = child.pid ?? 0
      },
    })
    expect(code).toBe(5)
    expect(stdout).toContain('it was stopped before the evidence sufficed')
    const report = JSON.parse(readFileSync(join(own.dir, 'r/check.json'), 'utf8'))
    expect(report).toMatchObject({ reason: 'stopped' })
    expect(report.cost.counted).toBeGreaterThanOrEqual(2)
    expect(report.cost.counted).toBeLessThan(CheckParams.requestsDefault)
  })

  test('one answer tells nothing: 5, and what to do', async () => {
    const choices = [{ message: { content: 'Yes.' }, finish_reason: 'stop' }]
    await using api = await fakeApi(200, { choices })
    using own = home()
    const { code, stdout } = await check(api.url, own.dir, '--requests', '1')
    expect(code).toBe(5)
    expect(stdout).toContain('allow more with --requests')
    expect(stdout).toContain('the API does not say how many tokens a prompt has')
  })
})
