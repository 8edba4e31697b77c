import { Batch } from '../../src/index.ts'
import * as Example from '../Example.ts'
import { type Case, invalidJson, type Vectors } from './Vectors.ts'

const { root: honest, leaves } = Example
const path = Batch.prove(leaves, 2)

function valid(name: string, count: number, first: bigint): Case {
  const some = leaves.slice(0, count)
  const root: Batch.BatchRoot = { ...honest, root: Batch.root(some), first, end: first + BigInt(count) }
  return {
    name,
    leaves: some,
    batch: Batch.toJson(root),
    proofs: some.map((claimId, i) => ({
      claimId,
      sequence: `${first + BigInt(i)}`,
      path: Batch.prove(some, i),
    })),
  }
}

const misplaced = (name: string, change: Readonly<Record<string, unknown>>): Case => ({
  name,
  batch: Batch.toJson(honest),
  claimId: leaves[2],
  sequence: '5',
  path,
  ...change,
  error: 'inclusion-invalid',
})

export const batch: Vectors = {
  valid: [
    valid('one claim, the first of its key', 1, 0n),
    valid('a claim and a number that went unused', 2, 3n),
    valid('six numbers', 6, 3n),
    valid('numbers near the end of u64', 3, 2n ** 64n - 4n),
    ...[
      { epoch: 0n, epochSeconds: 600, deadline: 1200 },
      { epoch: Example.epoch, epochSeconds: 600, deadline: Example.day + 1200 },
      { epoch: 7n, epochSeconds: 5, deadline: 45 },
    ].map((one) => ({ name: `due of epoch ${one.epoch}`, ...one, epoch: `${one.epoch}` })),
  ],
  invalid: [
    misplaced("its neighbour's number", { sequence: '4' }),
    misplaced('a number before the batch', { sequence: '2' }),
    misplaced('a number after the batch', { sequence: '9' }),
    misplaced('another claim', { claimId: leaves[3] }),
    misplaced('a number said to be unused', { claimId: Batch.unused }),
    misplaced('no path', { path: [] }),
    ...invalidJson(Batch.toJson(honest), [
      ['an empty range', ['end'], '3', 'order', '$.end'],
      ['a range that runs back', ['end'], '2', 'order', '$.end'],
      ['more than 2^32 leaves', ['end'], `${3n + 2n ** 32n + 1n}`, 'too-many', '$.end'],
      ['an epoch above u64', ['epoch'], `${2n ** 64n}`, 'range', '$.epoch'],
      ['a first above u64', ['first'], `${2n ** 64n}`, 'range', '$.first'],
      ['an end above u64', ['end'], `${2n ** 64n}`, 'range', '$.end'],
      ['an epoch as a number', ['epoch'], 1, 'type', '$.epoch'],
      ['a root of 20 bytes', ['root'], `0x${'00'.repeat(20)}`, 'hex', '$.root'],
      ['no time', ['postedAt'], undefined, 'missing', '$.postedAt'],
      ['no due time', ['dueAt'], undefined, 'missing', '$.dueAt'],
      ['a negative time', ['postedAt'], -1, 'range', '$.postedAt'],
    ]),
  ],
}
