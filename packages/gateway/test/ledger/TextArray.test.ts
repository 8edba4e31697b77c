import fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as Database from '../../src/Database.ts'
import * as TextArray from '../../src/ledger/TextArray.ts'
import * as Databases from '../Database.ts'

let databases: Databases.Databases
let database: Database.Database
beforeAll(async () => {
  databases = await Databases.start()
  database = Database.connect(await databases.fresh())
})
afterAll(async () => {
  await database?.destroy()
  await databases?.close()
})

async function throughPostgres(texts: readonly (string | null)[]) {
  const { rows } = await sql<{ texts: unknown }>`
    select coalesce(array_agg(text order by at), '{}') as texts
    from unnest(${TextArray.encode(texts)}::text[]) with ordinality as one (text, at)`.execute(database)
  return rows[0]?.texts
}

test('the database reads what was written: quotes, backslashes, nulls, characters of any length', async () => {
  // Text that Postgres takes at all: no NUL, no half of a character.
  const text = fc.string({ unit: 'binary' }).filter((one) => !one.includes('\0') && one.isWellFormed())
  const texts = fc.array(fc.oneof(text, fc.constant(null)), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(texts, async (one) => {
      expect(await throughPostgres(one)).toEqual(one)
    }),
    {
      examples: [
        [['{"a":"b\\"c"}', '\\', '', 'NULL', null, '{}', ',', ' ', 'é€𝄞']],
        [[]],
        [[null]],
        [['x'.repeat(100_000)]],
      ],
    },
  )
})
