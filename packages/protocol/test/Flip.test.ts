import { describe, expect, it } from 'vitest'
import {
  Bytes,
  Canonical,
  Claim,
  Decode,
  type Inputs,
  Job,
  Offer,
  Output,
  Receipt,
  type Report,
  Trace,
  type Verdict,
  verify,
} from '../src/index.ts'
import * as Example from './Example.ts'
import { p256Node } from './reference/NodeCrypto.ts'

// Every single bit of what a payer holds, changed one at a time: each change is refused by a decoder or by the verdict that
// names what was changed.

const honest: Inputs = {
  job: Example.job,
  output: Example.output,
  salts: Example.salts,
  trace: Example.trace,
  offer: Example.signedOffer,
  keys: [Example.key],
  roots: [Example.root],
  policy: { least: 'committed' },
  now: Example.now,
  p256: p256Node,
}
const text = (utf8: Uint8Array) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(utf8)

function* flips(bytes: Uint8Array): Generator<{ readonly bit: number; readonly bytes: Uint8Array }> {
  for (let bit = 0; bit < 8 * bytes.length; bit += 1) {
    const copy = bytes.slice()
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7))
    yield { bit, bytes: copy }
  }
}

/** What decodes, or undefined where a decoder refused it with an error of its own kind. */
function decoded<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    // JSON.parse and TextDecoder are the platform's boundary and throw errors of theirs.
    if (!(error instanceof Decode.DecodeError || error instanceof SyntaxError || error instanceof TypeError))
      throw error
    return undefined
  }
}

function reasonOf(report: Report, rung: Verdict.Rung): string {
  const verdict = report.verdicts.find((one) => one.rung === rung)
  return verdict?.outcome === 'holds' ? 'holds' : `${verdict?.outcome} ${verdict?.reason?.code}`
}

/** What the two rungs must say of a receipt that differs from the honest one, by what differs first. */
function expected(receipt: Receipt.Receipt): readonly [signed: string, committed: string] {
  const { claim } = receipt
  const differs = (Object.keys(Example.claim) as readonly (keyof Claim.Claim)[]).filter(
    (field) =>
      JSON.stringify(`${jsonOf(claim[field])}`) !== JSON.stringify(`${jsonOf(Example.claim[field])}`),
  )
  if (differs.length === 0)
    return receipt.signature === Example.receipt.signature
      ? ['holds', 'fails inclusion-invalid']
      : ['fails signature-invalid', 'holds']
  expect(differs).toHaveLength(1)
  const [field] = differs
  const signed =
    field === 'keyId'
      ? 'unknown key-unknown'
      : field === 'domain'
        ? 'fails domain-mismatch'
        : 'fails signature-invalid'
  const moved = field === 'keyId' || field === 'epoch'
  return [signed, moved ? 'unknown root-not-posted' : 'fails inclusion-invalid']
}

const jsonOf = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : `${value}`)

async function expectRefused(receipt: Receipt.Receipt, place: string): Promise<void> {
  const report = await verify(receipt, honest)
  expect([reasonOf(report, 'signed'), reasonOf(report, 'committed')], place).toEqual(expected(receipt))
  expect(report.judgement.met, place).toBe(false)
}

describe('a bit changed', () => {
  it('none: the honest answer holds', async () => {
    const report = await verify(Example.receipt, honest)
    expect(report.judgement).toEqual({ met: true })
  })

  it('in the bytes of the receipt', async () => {
    const reached = { verdict: 0, refused: 0 }
    for (const { bit, bytes } of flips(Receipt.encode(Example.receipt))) {
      const receipt = decoded(() => Receipt.decode(bytes, text))
      if (receipt) await expectRefused(receipt, `bit ${bit}`)
      reached[receipt ? 'verdict' : 'refused'] += 1
    }
    expect(reached.verdict).toBeGreaterThan(3500)
    expect(reached.refused).toBeGreaterThan(500)
  })

  it('in the JSON of the receipt', async () => {
    const reached = { verdict: 0, refused: 0 }
    for (const { bit, bytes } of flips(Bytes.fromText(JSON.stringify(Receipt.toJson(Example.receipt))))) {
      const receipt = decoded(() => Receipt.fromJson(JSON.parse(text(bytes))))
      if (receipt) await expectRefused(receipt, `bit ${bit}`)
      reached[receipt ? 'verdict' : 'refused'] += 1
    }
    expect(reached.verdict).toBeGreaterThan(1000)
    expect(reached.refused).toBeGreaterThan(1000)
  })

  /** Each bit of a canonical JSON text: refused, or the signed rung fails with `code`. */
  async function expectMismatch<T>(
    value: unknown,
    decode: (value: unknown) => T,
    inputs: (value: T) => Partial<Inputs>,
    code: Verdict.ReasonCode,
  ): Promise<void> {
    let verdicts = 0
    for (const { bit, bytes } of flips(Bytes.fromText(Canonical.encode(value)))) {
      const changed = decoded(() => decode(JSON.parse(text(bytes))))
      if (changed === undefined) continue
      const report = await verify(Example.receipt, { ...honest, ...inputs(changed) })
      expect(reasonOf(report, 'signed'), `bit ${bit}`).toBe(`fails ${code}`)
      expect(report.judgement.met).toBe(false)
      verdicts += 1
    }
    expect(verdicts).toBeGreaterThan(100)
  }

  it('in the job', () => expectMismatch(Example.job, Job.decode, (job) => ({ job }), 'request-mismatch'))

  it('in the output', () =>
    expectMismatch(Example.output, Output.decode, (output) => ({ output }), 'answer-mismatch'))

  it('in the trace', () =>
    expectMismatch(Example.trace, Trace.fromJson, (trace) => ({ trace }), 'trace-mismatch'))

  it.each([
    ['request', 'request-mismatch'],
    ['answer', 'answer-mismatch'],
    ['trace', 'trace-mismatch'],
  ] as const)('in the salt of the %s', async (name, code) => {
    for (const { bytes } of flips(Bytes.fromHex(Example.salts[name]))) {
      const salts = { ...Example.salts, [name]: Bytes.toHex(bytes) }
      const report = await verify(Example.receipt, { ...honest, salts })
      expect(reasonOf(report, 'signed')).toBe(`fails ${code}`)
    }
  })

  it('in the offer', async () => {
    for (const { bit, bytes } of flips(Offer.encode(Example.offer))) {
      const offer = decoded(() => Offer.decode(bytes))
      if (!offer) continue
      const report = await verify(Example.receipt, { ...honest, offer: { ...Example.signedOffer, offer } })
      expect(reasonOf(report, 'signed'), `bit ${bit}`).toBe('fails offer-mismatch')
    }
  })

  it("in the offer's signature", async () => {
    for (const { bytes } of flips(Bytes.fromHex(Example.signedOffer.signature))) {
      const offer = { ...Example.signedOffer, signature: Bytes.toHex(bytes) }
      const report = await verify(Example.receipt, { ...honest, offer })
      expect(reasonOf(report, 'signed')).toBe('fails offer-signature-invalid')
    }
  })

  it('in the public key', async () => {
    for (const { bytes } of flips(Bytes.fromHex(Example.publicKey))) {
      const keys = [{ ...Example.key, publicKey: Bytes.toHex(bytes) }]
      const report = await verify(Example.receipt, { ...honest, keys })
      expect(reasonOf(report, 'signed')).toBe('fails key-unknown')
    }
  })

  it('in the root on chain', async () => {
    for (const { bytes } of flips(Bytes.fromHex(Example.root.root))) {
      const roots = [{ ...Example.root, root: Bytes.toHex(bytes) }]
      const report = await verify(Example.receipt, { ...honest, roots })
      expect([reasonOf(report, 'signed'), reasonOf(report, 'committed')]).toEqual([
        'holds',
        'fails inclusion-invalid',
      ])
    }
  })

  it('in the id of a claim: two claims never share one', () => {
    const ids = new Set<string>()
    for (const { bytes } of flips(Claim.encode(Example.claim))) {
      const claim = decoded(() => Claim.decode(bytes))
      if (!claim) continue
      expect(ids.has(Claim.id(claim))).toBe(false)
      ids.add(Claim.id(claim))
    }
    expect(ids.has(Claim.id(Example.claim))).toBe(false)
  })
})
