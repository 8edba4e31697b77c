import { once } from 'node:events'
import { connect } from 'node:net'
import { ProviderHttp } from '@counterfoil/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as Suite from '../../../http/test/Suite.ts'
import { Params } from '../../src/index.ts'
import { Fixture } from '../Fixture.ts'

let fixture: Fixture
let token: string
beforeAll(async () => {
  fixture = await new Fixture().start()
  token = await fixture.token()
})
afterAll(() => fixture?.[Symbol.asyncDispose]())

describe('the door', () => {
  Suite.suite(() => ({ url: fixture.service.url, path: '/healthz' }))
  Suite.bodies(() => ({
    ...{ url: fixture.service.url, path: ProviderHttp.paths.jobs, bytesMax: Params.jobBodyBytesMax },
    headers: `authorization: Bearer ${token}\r\n`,
  }))

  test('a payer half closed has left: its job ends, and the engine is free', async () => {
    fixture.engine.hold = true
    const { hostname, port } = new URL(fixture.service.url)
    const body = JSON.stringify(await fixture.jobPost())
    const socket = connect(Number(port), hostname)
    socket.write(
      `POST ${ProviderHttp.paths.jobs} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
    await expect.poll(() => fixture.engine.busy, { interval: 5, timeout: 20_000 }).toBe(1)
    socket.end()
    await once(socket.resume(), 'close')
    await expect.poll(() => fixture.engine.busy, { interval: 5, timeout: 20_000 }).toBe(0)
    fixture.engine.hold = false
    expect((await fixture.ask(await fixture.jobPost())).end).toBeDefined()
  })
})
