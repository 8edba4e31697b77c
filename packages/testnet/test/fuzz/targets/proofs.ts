import {
  Access,
  AuditPage,
  Batch,
  Bytes,
  Decode,
  Merkle,
  Transcript,
  Voucher,
  verify,
} from '@counterfoil/protocol'
import fc from 'fast-check'
import * as Example from '../../../../protocol/test/Example.ts'
import { p256Node } from '../../../../protocol/test/reference/NodeCrypto.ts'
import * as Binary from '../Binary.ts'
import * as Json from '../Json.ts'
import { BrokenError, type Target, trial } from '../Target.ts'
import * as Audited from './Audited.ts'

// What is signed, hashed or proved: with anything of it changed it holds no more.

const leaves = Array.from({ length: 21 }, (_, i) => Merkle.hashLeaf(Uint8Array.of(i)))
const tree = Merkle.prover(leaves)
const textOf = (value: unknown) =>
  JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}n` : one))

/** The fields of a transcript that the rung `signed` rests on. */
function signedParts(json: unknown): string {
  const { receipt, ...rest } = Transcript.fromJson(json)
  const { job, output, salts, trace, offer } = rest
  return textOf([receipt.claim, receipt.signature, job, output, salts, trace, offer])
}

/** What of a page rests on the commitment and the provider's signature; the statistics are whoever's serves it. */
function committedParts({ domain, number, leaves }: AuditPage.AuditPage): string {
  const parts = leaves.map((leaf) => {
    if (leaf.state !== 'opened') return leaf
    const { state, secret, audit, receipt } = leaf
    return { state, secret, audit, claim: receipt.claim, signature: receipt.signature }
  })
  return textOf({ domain, number, parts })
}

const honest = Transcript.toJson(Example.transcript)
const honestParts = signedParts(JSON.parse(JSON.stringify(honest)))

export const proofs: readonly Target[] = [
  {
    name: 'Merkle proof',
    weight: 30,
    open() {
      const inputs = fc.record({
        index: fc.nat(leaves.length - 1),
        what: fc.constantFrom('leaf', 'root', 'path', 'index', 'longer', 'shorter', 'nothing'),
        at: fc.nat(1_000),
        by: fc.bigInt({ min: -40n, max: 2n ** 64n }),
        bytes: Binary.mutated(leaves),
      })
      return trial(inputs, ({ index, what, at, by, bytes }) => {
        const leaf = leaves[index] ?? new Uint8Array()
        const path = tree.prove(index)
        const proof = { leaf, index: BigInt(index), size: BigInt(leaves.length), path, root: tree.root }
        const changed = {
          leaf: { ...proof, leaf: bytes },
          root: { ...proof, root: bytes },
          path: { ...proof, path: path.map((one, i) => (i === at % path.length ? bytes : one)) },
          index: { ...proof, index: by },
          longer: { ...proof, path: [...path, bytes] },
          shorter: { ...proof, path: path.slice(0, at % path.length) },
          nothing: proof,
        }[what]
        const isSame =
          Bytes.equal(changed.leaf, proof.leaf) &&
          Bytes.equal(changed.root, proof.root) &&
          changed.index === proof.index &&
          textOf(changed.path.map(Bytes.toHex)) === textOf(path.map(Bytes.toHex))
        const holds = Merkle.verify(changed)
        if (holds !== isSame)
          throw new BrokenError(`a proof ${isSame ? 'does not hold' : 'holds for something else'}`)
        return holds ? 'accepted' : 'refused'
      })
    },
  },
  {
    name: 'batch inclusion',
    weight: 10,
    open() {
      const place = { id: Example.leaves[2] ?? Bytes.zero32, sequence: Example.sequence }
      const path = Batch.prove(Example.leaves, 2)
      const json = { root: Batch.toJson(Example.root), sequence: `${place.sequence}`, path }
      return trial(Json.mutated([json]), (input) => {
        const read = Decode.object({
          root: Decode.nested(Batch.fromJson),
          sequence: Decode.decimal(64),
          path: Decode.array(Decode.digest, 32),
        })
        let one: ReturnType<typeof read>
        try {
          one = read(input, '$')
        } catch (error) {
          if (error instanceof Decode.DecodeError) return 'refused'
          throw error
        }
        const holds = Batch.includes(one.root, { id: place.id, sequence: one.sequence }, one.path)
        // A tree's size is no part of its root: what is on chain says it.
        const isSized = one.root.end - one.root.first === Example.root.end - Example.root.first
        const isSame =
          one.root.root === Example.root.root &&
          one.sequence - one.root.first === 2n &&
          textOf(one.path) === textOf(path)
        if (isSized && holds !== isSame)
          throw new BrokenError(`inclusion ${holds ? 'holds' : 'does not hold'}`)
        return holds ? 'accepted' : 'refused'
      })
    },
  },
  signed(
    'voucher signature',
    Voucher.sign(
      { channel: Example.channel, model: Example.model, cumulative: 12n, epoch: 7n },
      Example.eip712,
      Example.payerSecret,
    ),
    {
      decode: Voucher.fromJson,
      encode: Voucher.toJson,
      signer: (one) => Voucher.signer(one, Example.eip712),
    },
  ),
  signed(
    'access signature',
    Access.sign(
      { channel: Example.channel, payee: Example.provider, challenge: Bytes.zero32, expires: Example.day },
      Example.eip712,
      Example.payerSecret,
    ),
    {
      decode: Access.fromJson,
      encode: (one) => one,
      signer: (one) => Access.signer(one, Example.eip712),
    },
  ),
  {
    name: 'transcript, verified offline',
    weight: 40,
    open: () =>
      trial(Json.mutated([honest]), async (json) => {
        let transcript: Transcript.Transcript
        try {
          transcript = Transcript.fromJson(json)
        } catch (error) {
          if (error instanceof Decode.DecodeError) return 'refused'
          throw error
        }
        const { receipt, ...rest } = transcript
        const report = await verify(receipt, {
          ...rest,
          ...{ keys: [Example.key], roots: [Example.root], policy: { least: 'committed' } },
          ...{ now: Example.now, p256: p256Node },
        })
        const outcome = (rung: string) => report.verdicts.find((one) => one.rung === rung)?.outcome
        const isSigned = outcome('signed') === 'holds'
        // What may differ where `signed` holds: who picked the nonce, and the evidence beside the claim.
        if (isSigned !== (signedParts(json) === honestParts))
          throw new BrokenError(`'signed' ${isSigned ? 'holds for a changed transcript' : 'is lost'}`)
        const { claim, evidence } = receipt
        const isHonestClaim = textOf(claim) === textOf(Example.claim)
        const isIncluded = evidence.some((one) => textOf(one) === textOf(Example.receipt.evidence[0]))
        if ((outcome('committed') === 'holds') !== (isHonestClaim && isIncluded))
          throw new BrokenError(`'committed' ${outcome('committed')} where it must not`)
        for (const rung of ['sampled', 'replayed', 'attested', 'proved'])
          if (outcome(rung) !== 'unknown')
            throw new BrokenError(`'${rung}' is ${outcome(rung)} without evidence`)
        if (report.judgement.met && !(isSigned && isIncluded)) throw new BrokenError('the policy is met')
        return report.judgement.met ? 'accepted' : 'refused'
      }),
  },
  {
    name: 'audit page, checked',
    weight: 10,
    open() {
      const page = AuditPage.toJson(Audited.page)
      return trial(Json.mutated([page]), async (json) => {
        const against = {
          ...{ domain: Example.domain, commitment: Audited.commitment, beacon: Audited.beacon },
          ...{ keys: [Example.key], p256: p256Node },
        }
        let read: AuditPage.AuditPage
        try {
          read = AuditPage.fromJson(json)
          await AuditPage.check(read, against)
        } catch (error) {
          if (error instanceof Decode.DecodeError || error instanceof AuditPage.AuditError) return 'refused'
          throw error
        }
        if (committedParts(read) !== committedParts(Audited.page))
          throw new BrokenError('a page holds for other audits or claims than were committed')
        return 'accepted'
      })
    },
  },
]

/** Something under EIP-712 that its signer alone can have made: changed, it is nobody's or somebody else's. */
function signed<T>(
  name: string,
  honest: T,
  how: { decode(json: unknown): T; encode(value: T): unknown; signer(value: T): Bytes.Hex | undefined },
): Target {
  return {
    name,
    weight: 2,
    open: () =>
      trial(Json.mutated([how.encode(honest)]), (json) => {
        let value: T
        try {
          value = how.decode(json)
        } catch (error) {
          if (error instanceof Decode.DecodeError) return 'refused'
          throw error
        }
        const isOurs = how.signer(value) === Example.payer
        const isSame = textOf(value) === textOf(how.decode(how.encode(honest)))
        if (isOurs !== isSame)
          throw new BrokenError(`${name} of the payer ${isOurs ? 'holds for' : 'is lost on'} it`)
        return isOurs ? 'accepted' : 'refused'
      }),
  }
}
