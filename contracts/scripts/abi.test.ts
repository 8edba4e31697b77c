import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { build } from './abi.mjs'

test('the committed abi.ts is what the sources give', { timeout: 60_000 }, () => {
  const committed = readFileSync(new URL('../abi.ts', import.meta.url), 'utf8')
  expect(build() === committed, 'abi.ts is stale: run `node contracts/scripts/abi.mjs`').toBe(true)
})
