import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as Raw from '../../../http/test/Raw.ts'
import * as Suite from '../../../http/test/Suite.ts'
import type { Service } from '../../src/service.ts'
import { Bed } from '../Fixture.ts'

let bed: Bed
let service: Service
beforeAll(async () => {
  bed = await Bed.create()
  service = await bed.start()
})
afterAll(async () => {
  await service?.[Symbol.asyncDispose]()
  await bed?.[Symbol.asyncDispose]()
})

describe('the door', () => {
  Suite.suite(() => ({ url: service.url, path: '/healthz' }))

  test('takes no body, however it is sent', async () => {
    const headers = ['content-length: 104857600', 'transfer-encoding: chunked', 'content-encoding: gzip']
    for (const [i, status] of [413, 413, 415].entries()) {
      const raw = await Raw.open(service.url, `GET /healthz HTTP/1.1\r\nhost: a\r\n${headers[i]}\r\n\r\n`)
      expect(await raw.closed()).toMatch(new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*"code"`))
    }
  })
})
