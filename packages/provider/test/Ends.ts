import { randomBytes } from 'node:crypto'
import { Bytes, type Claim, type Nonce, type ProviderHttp } from '@counterfoil/protocol'

export const keyId: Bytes.Hex = `0x${'4b'.repeat(32)}`
export const channel: Bytes.Hex = `0x${'c0'.repeat(32)}`
export const salts: Nonce.Salts = { request: Bytes.zero32, answer: Bytes.zero32, trace: Bytes.zero32 }

/** An answer as the store keeps it; only its place matters. */
export function end(
  place: { readonly sequence: bigint; readonly epoch: bigint },
  changes: Partial<Claim.Claim> = {},
): ProviderHttp.End {
  const usage = { promptTokens: 1, cachedTokens: 0, outputTokens: 1 }
  const claim: Claim.Claim = {
    domain: Bytes.zero32,
    provider: `0x${'be'.repeat(20)}`,
    keyId,
    ...place,
    model: Bytes.zero32,
    runtime: Bytes.zero32,
    offer: Bytes.zero32,
    request: Bytes.toHex(new Uint8Array(randomBytes(32))),
    answer: Bytes.zero32,
    trace: Bytes.zero32,
    usage,
    finish: 'stop',
    channel,
    amount: 7n,
    time: { started: 1, firstToken: 2, ended: 3 },
    parents: Bytes.zero32,
    evidence: Bytes.zero32,
    ...changes,
  }
  return {
    receipt: { claim, signature: `0x${'00'.repeat(64)}`, evidence: [] },
    output: {
      schema: 'counterfoil/output/1',
      choices: [{ message: { role: 'assistant', content: 'x' }, finish: 'stop' }],
      usage,
    },
    trace: { choices: ['0x000000010000'] },
  }
}
