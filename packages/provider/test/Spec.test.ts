import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Params as HttpParams } from '@counterfoil/http'
import { Bytes, ProviderHttp } from '@counterfoil/protocol'
import { expect, test } from 'vitest'
import * as ChainParams from '../../chain/src/Params.ts'
import { Params } from '../src/index.ts'
import { account } from '../src/routes/account.ts'
import { catalogue } from '../src/routes/catalogue.ts'
import { jobs } from '../src/routes/jobs.ts'

const page = readFileSync(join(import.meta.dirname, '../../../spec/provider-http.md'), 'utf8')

test('the limits on the page are those of the code, and none that a stranger meets is left out', () => {
  const rows = new Map(
    [...page.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, name = '', value]) => [name, Number(value)]),
  )
  const own = new Map<string, unknown>(Object.entries({ ...Params, ...Params.doorLimits }))
  const others = new Map<string, unknown>(Object.entries({ ...HttpParams, ...ChainParams }))
  for (const [name, value] of rows) expect([name, value]).toEqual([name, own.get(name) ?? others.get(name)])
  const bounds = [...own.keys()].filter((name) => name.endsWith('Max'))
  const missing = [...bounds, 'pipelinedMax', 'replyMs', 'clockApartMs'].filter((name) => !rows.has(name))
  expect(missing).toEqual([])
})

test('every route is on the page, and every path of the protocol has its route', () => {
  const routes = [...account, ...catalogue, ...jobs]
  const listed = [...page.matchAll(/^\| (GET|POST|DELETE) `([^`]+)` \|/gm)].map(([, method, path = '']) => ({
    method,
    path: path.replace('{epoch}', '7').replace(/\{\w+\}/g, Bytes.zero32),
  }))
  for (const { method, path } of listed)
    expect(routes.filter((route) => route.method === method && route.path.test(path)).length).toBe(1)
  expect(listed.length).toBe(routes.length)
  const id = Bytes.zero32
  for (const path of Object.values(ProviderHttp.paths)) {
    const one = typeof path === 'string' ? path : path(id, 7n)
    expect(routes.some((route) => route.path.test(one))).toBe(true)
  }
})
