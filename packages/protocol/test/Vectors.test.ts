import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { all } from './vectors/all.ts'
import { encode } from './vectors/Vectors.ts'

const root = new URL('../../../spec/vectors/', import.meta.url)

describe('spec/vectors', () => {
  it('has a folder for each noun and no other', () => {
    expect(readdirSync(root).sort()).toEqual(Object.keys(all).sort())
  })

  it.each(Object.entries(all))(
    '%s is what its generator writes, with distinct names',
    (noun, { valid, invalid }) => {
      for (const [kind, cases] of Object.entries({ valid, invalid })) {
        const written = readFileSync(new URL(`${noun}/${kind}.json`, root), 'utf8')
        expect(written, 'run: node --conditions=source packages/protocol/test/vectors/write.ts').toBe(
          encode(cases),
        )
        expect(new Set(cases.map((one) => one.name)).size).toBe(cases.length)
        expect(cases.length).toBeGreaterThan(0)
      }
      expect(invalid.every((one) => typeof one.error === 'string')).toBe(true)
    },
  )
})
