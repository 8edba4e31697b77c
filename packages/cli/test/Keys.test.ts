import { join } from 'node:path'
import { Postgres } from '@counterfoil/testnet'
import { expect, test } from 'vitest'
import { foil, home } from './Foil.ts'

test('keys create, list and revoke, on a real database', async () => {
  using own = home()
  const postgres = await Postgres.create({
    dir: join(own.dir, 'postgres'),
    log: join(own.dir, 'postgres.log'),
  })
  try {
    const env = { DATABASE_URL: postgres.url }
    const keys = async (...args: string[]) => {
      const { code, stdout, stderr } = await foil(own.dir, ['keys', ...args], { env })
      expect([
        code,
        stderr.replace(/^ada, 5000 micro-units \(0\.005000\) prepaid; it is not shown again\n$/, ''),
      ]).toEqual([0, ''])
      return stdout
    }
    const made = JSON.parse(await keys('create', '--name', 'laptop', '--balance', '2500000', '--json')) as {
      id: string
    }
    expect(made).toEqual({
      id: expect.any(String),
      key: expect.stringMatching(/^cf-/),
      name: 'laptop',
      balance: '2500000',
    })
    expect(await keys('create', '--name', 'ada', '--balance', '5000')).toMatch(/^cf-\S+\n$/)
    expect(JSON.parse(await keys('--json'))).toEqual({
      apiKeys: [
        {
          id: made.id,
          name: 'laptop',
          balance: '2500000',
          reserved: '0',
          createdAt: expect.any(String),
          revokedAt: null,
        },
        {
          id: expect.any(String),
          name: 'ada',
          balance: '5000',
          reserved: '0',
          createdAt: expect.any(String),
          revokedAt: null,
        },
      ],
      receiptKeys: [],
    })
    expect(await keys('credit', made.id, '500000')).toBe(
      `key ${made.id} has 3000000 micro-units (3.000000)\n`,
    )
    expect(JSON.parse(await keys('credit', made.id, '-1000000', '--json'))).toEqual({
      id: made.id,
      added: '-1000000',
      balance: '2000000',
    })
    const beyond = await foil(own.dir, ['keys', 'credit', made.id, '-2000001'], { env })
    expect([beyond.code, beyond.stderr]).toEqual([
      1,
      expect.stringMatching(/^foil: key .+cannot be added\n {2}fix: take back at most 2000000\n$/),
    ])
    expect(await keys('revoke', made.id)).toBe(`key ${made.id} is revoked\n`)
    expect(await keys()).toContain('laptop  2000000 micro-units (2.000000)  revoked')
    const unknown = await foil(own.dir, ['keys', 'revoke', '00000000-0000-4000-8000-000000000000'], { env })
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      'foil: no API key has the id 00000000-0000-4000-8000-000000000000\n  fix: list them and take one from there\n',
    ])
    const malformed = await foil(own.dir, ['keys', 'revoke', '7'], { env })
    expect([malformed.code, malformed.stderr]).toEqual([
      2,
      expect.stringContaining('as foil keys list shows it'),
    ])
  } finally {
    await postgres.stop()
  }
}, 180_000)
