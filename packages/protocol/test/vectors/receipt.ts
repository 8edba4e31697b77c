import { Bytes, Claim, Receipt } from '../../src/index.ts'
import * as Example from '../Example.ts'
import { type Case, invalidJson, type Vectors } from './Vectors.ts'

const { receipt: honest } = Example

function valid(name: string, receipt: Receipt.Receipt): Case {
  return {
    name,
    receipt: Receipt.toJson(receipt),
    bytes: Bytes.toHex(Receipt.encode(receipt)),
    claimId: Claim.id(receipt.claim),
  }
}

const head = Receipt.encode(honest).subarray(0, 576)
const withEvidence = (name: string, evidence: string | Uint8Array, error: string): Case => ({
  name,
  bytes: Bytes.toHex(Bytes.concat(head, typeof evidence === 'string' ? Bytes.fromText(evidence) : evidence)),
  error,
})
const claimPatched = (at: number, byte: number): Bytes.Hex => {
  const bytes = Receipt.encode(honest)
  bytes[at] = byte
  return Bytes.toHex(bytes)
}
const inclusion = (count: number) => ({ kind: 'inclusion' as const, path: Array(count).fill(Bytes.zero32) })

export const receipt: Vectors = {
  valid: [
    valid('with its inclusion proof', honest),
    valid('without evidence', { ...honest, evidence: [] }),
    valid('most evidence', { ...honest, evidence: Array(16).fill(inclusion(32)) }),
  ],
  invalid: [
    { name: 'no bytes', bytes: '0x', error: 'length' },
    { name: 'no evidence list', bytes: Bytes.toHex(head), error: 'length' },
    { name: 'a claim that does not decode', bytes: claimPatched(32, 1), error: 'padding' },
    withEvidence('evidence with white space', '[ ]', 'not-canonical'),
    withEvidence('evidence keys out of order', '[{"path":[],"kind":"inclusion"}]', 'not-canonical'),
    withEvidence('trailing bytes', '[]\0', 'syntax'),
    withEvidence('evidence that is no list', '{}', 'type'),
    withEvidence('17 pieces', `[${Array(17).fill('{"kind":"inclusion","path":[]}').join()}]`, 'too-many'),
    withEvidence('an unknown kind', '[{"kind":"replay","path":[]}]', 'range'),
    withEvidence(
      '33 digests',
      `[{"kind":"inclusion","path":[${Array(33).fill(`"${Bytes.zero32}"`).join()}]}]`,
      'too-many',
    ),
    withEvidence('bytes that are not UTF-8', Uint8Array.of(0x5b, 0xff, 0x5d), 'unicode'),
    withEvidence('an overlong encoding', Uint8Array.of(0xc1, 0x9b, 0x5d), 'unicode'),
    withEvidence('a byte order mark', Uint8Array.of(0xef, 0xbb, 0xbf, 0x5b, 0x5d), 'syntax'),
    ...invalidJson(Receipt.toJson(honest), [
      ['another schema', ['schema'], 'counterfoil/receipt/2', 'range', '$.schema'],
      ['no claim', ['claim'], undefined, 'missing', '$.claim'],
      ['a signature of 63 bytes', ['signature'], honest.signature.slice(0, -2), 'hex', '$.signature'],
      [
        'more cached than prompt tokens',
        ['claim', 'usage', 'cachedTokens'],
        32,
        'range',
        '$.claim.usage.cachedTokens',
      ],
      ['an amount as a number', ['claim', 'amount'], 19, 'type', '$.claim.amount'],
      ['an amount above u128', ['claim', 'amount'], `${2n ** 128n}`, 'range', '$.claim.amount'],
      ['evidence of an unknown kind', ['evidence', 0, 'kind'], 'replay', 'range', '$.evidence[0].kind'],
      ['a path of 33 digests', ['evidence', 0], inclusion(33), 'too-many', '$.evidence[0].path'],
      ['17 pieces, in JSON', ['evidence'], Array(17).fill(inclusion(0)), 'too-many', '$.evidence'],
    ]),
  ],
}
