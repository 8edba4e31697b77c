import * as Bytes from './Bytes.ts'
import * as Canonical from './Canonical.ts'
import * as Claim from './Claim.ts'
import * as Decode from './Decode.ts'
import * as Params from './Params.ts'

const readEvidence = Decode.object({
  kind: Decode.literal('inclusion'),
  path: Decode.array(Decode.digest, Params.proofDigestsMax),
})

/** Evidence attached to a receipt: the claim's inclusion in its epoch's batch, proved by the digests beside its path. */
export type Evidence = ReturnType<typeof readEvidence>

/** A claim, its signature, and the evidence gathered so far. */
export type Receipt = {
  readonly claim: Claim.Claim
  readonly signature: Bytes.Hex
  readonly evidence: readonly Evidence[]
}

const readList = Decode.array(readEvidence, Params.evidenceItemsMax)
const read = Decode.object({
  schema: Decode.literal('counterfoil/receipt/1'),
  claim: Decode.nested(Claim.fromJson),
  signature: Decode.hex(Params.signatureBytes),
  evidence: readList,
})

export function toJson(receipt: Receipt): unknown {
  const { claim, signature, evidence } = receipt
  return { schema: 'counterfoil/receipt/1', claim: Claim.toJson(claim), signature, evidence }
}

export function fromJson(value: unknown): Receipt {
  const { claim, signature, evidence } = read(value, '$')
  return { claim, signature, evidence }
}

/** For machines: claim (512 bytes) ‖ signature (64) ‖ JCS of the list of evidence. */
export function encode(receipt: Receipt): Uint8Array {
  return Bytes.concat(
    Claim.encode(receipt.claim),
    Bytes.fromHex(receipt.signature),
    Bytes.fromText(Canonical.encode(receipt.evidence)),
  )
}

/**
 * The receipt of its bytes. `text` is the evidence part as text: the caller's platform decodes UTF-8, this room has none.
 * @example Receipt.decode(bytes, (part) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(part))
 */
export function decode(bytes: Uint8Array, text: (utf8: Uint8Array) => string): Receipt {
  if (bytes.length > Params.receiptBytesMax)
    throw new Decode.DecodeError(
      'too-long',
      '$',
      bytes.length,
      `must have at most ${Params.receiptBytesMax} bytes`,
    )
  const head = Params.claimBytes + Params.signatureBytes
  if (bytes.length < head + 2)
    throw new Decode.DecodeError('length', '$', bytes.length, `must have at least ${head + 2} bytes`)
  let evidence: string
  try {
    evidence = text(bytes.subarray(head))
  } catch {
    throw new Decode.DecodeError('unicode', '$.evidence', bytes.length - head, 'must be UTF-8')
  }
  const canonical = Canonical.decode(evidence)
  // A decoder that drops a byte order mark or mends bad bytes would give one receipt two encodings.
  if (!Bytes.equal(Bytes.fromText(evidence), bytes.subarray(head)))
    throw new Decode.DecodeError('not-canonical', '$.evidence', bytes.length - head, 'must be its own UTF-8')
  return {
    claim: Claim.decode(bytes.subarray(0, Params.claimBytes)),
    signature: Bytes.toHex(bytes.subarray(Params.claimBytes, head)),
    evidence: readList(canonical, '$.evidence'),
  }
}
