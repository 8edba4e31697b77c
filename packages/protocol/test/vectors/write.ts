// Writes spec/vectors/<noun>/{valid,invalid}.json: node --conditions=source packages/protocol/test/vectors/write.ts
import { mkdirSync, writeFileSync } from 'node:fs'
import { all } from './all.ts'
import { encode } from './Vectors.ts'

const root = new URL('../../../../spec/vectors/', import.meta.url)

for (const [noun, { valid, invalid }] of Object.entries(all)) {
  const folder = new URL(`${noun}/`, root)
  mkdirSync(folder, { recursive: true })
  writeFileSync(new URL('valid.json', folder), encode(valid))
  writeFileSync(new URL('invalid.json', folder), encode(invalid))
}
