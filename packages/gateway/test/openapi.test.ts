import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import * as Databases from './Database.ts'
import * as FakeProvider from './FakeProvider.ts'
import * as Fixture from './Fixture.ts'

// Our answers against OpenAI's own description of its API, where that is at hand.

const path = join(import.meta.dirname, '../../../../shared/vectors/openai/openapi.json')
const present = existsSync(path)
if (!present) console.log(`skipped: ${path} is not here, so answers are not checked against OpenAI's schema`)

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** JSON Schema of OpenAPI: left-over `nullable` becomes a union, references point into `$defs`, unknown extras go. */
function rewrite(value: Json): Json {
  if (Array.isArray(value)) return value.map(rewrite)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value as Record<string, Json>)
    .filter(([name]) => name !== 'nullable' && name !== 'discriminator' && !name.startsWith('x-'))
    .map(([name, one]): [string, Json] =>
      name === '$ref' && typeof one === 'string'
        ? [name, one.replace('#/components/schemas/', '#/$defs/')]
        : [name, rewrite(one)],
    )
  const schema = Object.fromEntries(entries)
  return 'nullable' in value && value.nullable === true ? { anyOf: [schema, { type: 'null' }] } : schema
}

/** A schema with those that it refers to. */
function load(name: string): z.ZodType {
  const document = JSON.parse(readFileSync(path, 'utf8'))
  const defs: Record<string, Json> = {}
  const add = (one: string) => {
    if (one in defs) return
    defs[one] = rewrite(document.components.schemas[one])
    for (const [, next = ''] of JSON.stringify(defs[one]).matchAll(/#\/\$defs\/([^"]+)/g)) add(next)
  }
  add(name)
  const { [name]: root, ...others } = defs
  return z.fromJSONSchema({ ...Object(root), $defs: { ...others, [name]: root } })
}

describe.skipIf(!present)('OpenAI’s schema', () => {
  let databases: Databases.Databases
  let world: Fixture.World
  beforeAll(async () => {
    databases = await Databases.start()
    world = await Fixture.create(await databases.fresh())
  })
  afterAll(async () => {
    await world?.close()
    await databases?.close()
  })

  const variants = [{}, { logprobs: true, top_logprobs: 3 }, { max_completion_tokens: 2 }]

  test('notices what is wrong, so that the rest means something', () => {
    const schema = load('CreateChatCompletionResponse')
    expect(schema.safeParse({ id: 'x', choices: [] }).success).toBe(false)
  })

  test.each(variants)('of a whole answer, with %j', async (change) => {
    const value = await (await world.chat(change)).json()
    load('CreateChatCompletionResponse').parse(value)
    expect(
      load('CreateChatCompletionResponse').safeParse({ ...value, system_fingerprint: null }).success,
    ).toBe(false)
  })

  test.each([...variants, { stream_options: { include_usage: true } }])(
    'of every chunk, with %j',
    async (change) => {
      const schema = load('CreateChatCompletionStreamResponse')
      const { data } = Fixture.parse(await (await world.chat({ ...change, stream: true })).text())
      expect(data.length).toBeGreaterThan(3)
      for (const one of data.slice(0, -1)) schema.parse(JSON.parse(one))
    },
  )

  test('of errors, in one piece and in a stream', async () => {
    const schema = load('ErrorResponse')
    schema.parse(await (await world.chat({ n: 2 })).json())
    schema.parse(await (await world.chat({ model: 'x' })).json())
    const [provider] = world.providers
    if (!provider) throw new Error('no provider')
    provider.lie = (end) => FakeProvider.resign(end, { amount: 6n }, provider.privateKey)
    const { data } = Fixture.parse(await (await world.chat({ stream: true })).text())
    schema.parse(JSON.parse(data.at(-1) ?? ''))
    provider.lie = undefined
  })

  test('of the list of models', async () => {
    load('ListModelsResponse').parse(await (await world.fetch('/v1/models')).json())
  })
})
