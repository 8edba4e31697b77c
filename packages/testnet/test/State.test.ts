import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import * as State from '../src/State.ts'

it('leaves out empty blocks that are old, and nothing else', () => {
  const block = (number: number, transactions: string[] = []) => ({
    header: { number: `0x${number.toString(16)}` },
    transactions,
  })
  const blocks = [block(0), block(1), block(2, ['0x1']), block(3), block(18), block(19), block(20)]
  const dump = { best_block_number: 20, accounts: { a: 1 }, blocks, transactions: [1] }
  const hex = `0x${gzipSync(JSON.stringify(dump)).toString('hex')}`
  expect(JSON.parse(State.decode(hex, 2))).toEqual({
    ...dump,
    blocks: [block(0), block(2, ['0x1']), block(18), block(19), block(20)],
  })
})
