import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { createContext, runInContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { Transcript } from '@counterfoil/protocol'
import { chromium } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import { verifyingFetch } from '../src/index.ts'
import { FakeGateway, network, nowMs } from './FakeGateway.ts'

const room = join(import.meta.dirname, '..')
let code = ''
/** What a page is given: a transcript and the keys, as JSON. */
let inputs = ''

beforeAll(async () => {
  execFileSync(process.execPath, ['--conditions=source', 'scripts/build.ts'], { cwd: room })
  code = readFileSync(join(room, 'dist/verify.js'), 'utf8')
  await using gateway = new FakeGateway()
  const baseURL = await gateway.listen()
  await verifyingFetch({
    least: 'signed',
    network,
    evidence: gateway.evidence,
    now: () => nowMs,
    onReport: (_, transcript) => {
      inputs = JSON.stringify({ transcript: Transcript.toJson(transcript), keys: [gateway.key] })
    },
  })(`${baseURL}/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer key' },
    body: JSON.stringify({ model: 'fake-model', messages: [{ role: 'user', content: 'Hi' }] }),
  })
})

/** What a page does with the built file; `Verify` is its exports. Verifies once as it is and once with another answer. */
const page = `
async function outcomes(Verify, text) {
  const { transcript, keys } = JSON.parse(text)
  const { receipt, ...rest } = Verify.Transcript.fromJson(transcript)
  const known = keys.map((key) => Verify.Key.fromJson(key))
  const common = { ...rest, keys: known, roots: [], policy: { least: 'signed' }, now: ${nowMs}, p256: Verify.webCryptoP256() }
  const honest = await Verify.verify(receipt, common)
  const output = structuredClone(rest.output)
  output.choices[0].message.content += '!'
  const forged = await Verify.verify(receipt, { ...common, output })
  return JSON.stringify([honest.judgement, forged.judgement.met, forged.judgement.reason?.code])
}`
const expected = [{ met: true }, false, 'answer-mismatch']

test('one file without imports, for any browser, under 25 kB gzipped', () => {
  // `process` alone is the name of a method of the hash functions.
  const found = code.match(/node:|(?<![.\w$])(?:require|import)\b|\bprocess\s*[.[?]|\bBuffer\b|__dirname/g)
  expect(found).toBeNull()
  const bytes = gzipSync(code, { level: 9 }).length
  console.log(`dist/verify.js: ${code.length} bytes, ${bytes} gzipped`)
  expect(bytes).toBeLessThan(25_000)
})

test('verifies where nothing of Node is', async () => {
  const web = { crypto, TextEncoder, TextDecoder, structuredClone, inputs }
  const exported = code.match(/export\s*\{([^}]*)\}/)?.[1] ?? ''
  const object = exported.replace(/([\w$]+) as (\w+)/g, '$2: $1')
  const script = `'use strict';${code.replace(/export\s*\{[^}]*\}/, `const Verify = {${object}}`)};${page};outcomes(Verify, inputs)`
  expect(JSON.parse(await runInContext(script, createContext(web)))).toEqual(expected)
})

const browserPath = ['chromium', 'chromium-browser']
  .flatMap((name) => (process.env.PATH ?? '').split(delimiter).map((dir) => join(dir, name)))
  .find((path) => existsSync(path))
if (!browserPath) console.log('no chromium on PATH: the built verifier is not run in a real browser')

test.skipIf(!browserPath)('verifies in Chromium', async () => {
  const server = createServer((request, response) => {
    const type = request.url === '/verify.js' ? 'text/javascript' : 'text/html'
    response
      .writeHead(200, { 'content-type': type })
      .end(request.url === '/verify.js' ? code : '<!doctype html>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const browser = await chromium.launch({ executablePath: browserPath ?? '', args: ['--no-sandbox'] })
  try {
    const tab = await browser.newPage()
    await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    const script = `import('/verify.js').then((Verify) => { ${page}; return outcomes(Verify, ${JSON.stringify(inputs)}) })`
    expect(JSON.parse(await tab.evaluate<string>(script))).toEqual(expected)
  } finally {
    await browser.close()
    server.closeAllConnections()
    server.close()
  }
})
