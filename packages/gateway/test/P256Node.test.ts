import { Bytes, Claim } from '@counterfoil/protocol'
import { expect, test } from 'vitest'
import * as Example from '../../protocol/test/Example.ts'
import * as P256Node from '../src/P256Node.ts'

const p256 = P256Node.create()
const good = {
  message: Claim.encode(Example.claim),
  signature: Bytes.fromHex(Example.signClaim(Example.claim)),
  publicKey: Bytes.fromHex(Example.key.publicKey),
}

test('P-256 over node:crypto takes what was signed, and nothing else', async () => {
  expect(await p256.verify(good)).toBe(true)
  // The parsed key is kept.
  expect(await p256.verify(good)).toBe(true)
  for (const field of ['message', 'signature', 'publicKey'] as const)
    for (const at of [1, 33, 63]) {
      const changed = good[field].slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(await p256.verify({ ...good, [field]: changed }), `${field}, byte ${at}`).toBe(false)
    }
})

test('P-256 over node:crypto takes no points off the curve', async () => {
  for (const publicKey of [new Uint8Array(65), Bytes.fromHex(`0x04${'11'.repeat(64)}`), new Uint8Array(10)])
    expect(await p256.verify({ ...good, publicKey })).toBe(false)
})
