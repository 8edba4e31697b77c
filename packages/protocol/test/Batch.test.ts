import { describe, expect, it } from 'vitest'
import { Batch, type Bytes } from '../src/index.ts'
import * as Example from './Example.ts'
import { unhex } from './reference/NodeCrypto.ts'
import * as Rfc9162 from './reference/Rfc9162.ts'
import { read } from './vectors/read.ts'

type Valid = {
  readonly leaves?: readonly Bytes.Hex[]
  readonly batch?: unknown
  readonly proofs?: readonly {
    readonly claimId: Bytes.Hex
    readonly sequence: string
    readonly path: readonly Bytes.Hex[]
  }[]
  readonly epoch?: string
  readonly epochSeconds?: number
  readonly deadline?: number
}
type Invalid = {
  readonly batch?: unknown
  readonly claimId: Bytes.Hex
  readonly sequence: string
  readonly path: readonly Bytes.Hex[]
}

describe('Batch', () => {
  it.each(read<Valid>('batch', 'valid').filter((one) => one.leaves))('valid: $name', (one) => {
    const { leaves = [], proofs = [] } = one
    const batch = Batch.fromJson(one.batch)
    expect(Batch.toJson(batch)).toEqual(one.batch)
    expect(Batch.root(leaves)).toBe(batch.root)
    expect(Buffer.from(Rfc9162.root(leaves.map(unhex))).toString('hex')).toBe(batch.root.slice(2))
    expect(Batch.prover(leaves).root).toBe(batch.root)
    expect(() => Batch.prover(leaves).prove(leaves.length)).toThrow(/is not one of/)
    expect(proofs).toHaveLength(leaves.length)
    for (const [i, { claimId, sequence, path }] of proofs.entries()) {
      expect(Batch.prove(leaves, i)).toEqual(path)
      expect(Batch.prover(leaves).prove(i)).toEqual(path)
      expect(Batch.includes(batch, { id: claimId, sequence: BigInt(sequence) }, path)).toBe(true)
    }
  })

  it.each(read<Valid>('batch', 'valid').filter((one) => one.deadline))('valid: $name', (one) => {
    expect(Batch.deadline(BigInt(one.epoch ?? 0), one.epochSeconds ?? 0)).toBe(one.deadline)
  })

  it.each(read<Invalid>('batch', 'invalid').filter((one) => one.batch))('invalid: $name', (one) => {
    const claim = { id: one.claimId, sequence: BigInt(one.sequence) }
    expect(Batch.includes(Batch.fromJson(one.batch), claim, one.path)).toBe(false)
  })

  it('takes whatever is at its limits', () => {
    const limits = {
      ...(Batch.toJson(Example.root) as object),
      first: '0',
      end: `${2n ** 32n}`,
      postedAt: 0,
      dueAt: 0,
    }
    expect(Batch.fromJson(limits)).toMatchObject({ end: 2n ** 32n, postedAt: 0, dueAt: 0 })
  })

  it('counts epochs from 1970 in whole lengths', () => {
    expect([0, 599, 600, 1199, 1200].map((seconds) => Batch.epochAt(seconds, 600))).toEqual([
      0n,
      0n,
      1n,
      1n,
      2n,
    ])
    expect(Batch.epochAt(12, 5)).toBe(2n)
  })

  it('is due at the end of the epoch after its own', () => {
    const due = Batch.deadline(Example.epoch, Example.epochSeconds)
    expect(Batch.epochAt(due - 1, Example.epochSeconds)).toBe(Example.epoch + 1n)
    expect(Batch.epochAt(due, Example.epochSeconds)).toBe(Example.epoch + 2n)
  })
})
