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
  type P256,
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

/** Checks that repeat word for word (the offer's, in most flips) are made once. */
const known = new Map<string, Promise<boolean>>()
const p256: P256.P256 = {
  verify(input) {
    const name = [input.message, input.signature, input.publicKey].map(Bytes.toHex).join()
    const answer = known.get(name) ?? p256Node.verify(input)
    known.set(name, answer)
    return answer
  },
}

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
  p256,
}
const text = (utf8: Uint8Array) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(utf8)

function* flips(
  bytes: Uint8Array,
  from = 0,
  to = bytes.length,
): Generator<{ readonly bit: number; readonly bytes: Uint8Array }> {
  for (let bit = 8 * from; bit < 8 * to; bit += 1) {
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
  if (differs.length !== 1) expect.fail(`one bit changed ${differs.join()}`)
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
  const said = [reasonOf(report, 'signed'), reasonOf(report, 'committed')]
  // Compared before it is expected: an expectation costs more than a check, and there are thousands.
  if (said.join() !== expected(receipt).join()) expect(said, place).toEqual(expected(receipt))
  if (report.judgement.met) expect.fail(`${place}: the policy is met`)
}

describe('a bit changed', () => {
  it('none: the honest answer holds', async () => {
    const report = await verify(Example.receipt, honest)
    expect(report.judgement).toEqual({ met: true })
  })

  /** Every bit of `bytes` from byte `from` to before `to`; how many reached a verdict and how many a decoder refused. */
  async function countRefused(
    bytes: Uint8Array,
    [from, to]: readonly [number, number],
    decode: (bytes: Uint8Array) => Receipt.Receipt,
  ): Promise<{ readonly verdict: number; readonly refused: number }> {
    const reached = { verdict: 0, refused: 0 }
    for (const { bit, bytes: changed } of flips(bytes, from, to)) {
      const receipt = decoded(() => decode(changed))
      if (receipt) await expectRefused(receipt, `bit ${bit}`)
      reached[receipt ? 'verdict' : 'refused'] += 1
    }
    return reached
  }

  const encoded = Receipt.encode(Example.receipt)
  it.each([
    ['first half of the claim', 0, 256, 1824, 224],
    ['second half of the claim', 256, 512, 1000, 100],
    ['signature', 512, 576, 512, 0],
    ['evidence', 576, encoded.length, 100, 500],
  ])('in the %s, as bytes', async (_, from, to, verdicts, refusals) => {
    const reached = await countRefused(encoded, [from, to], (bytes) => Receipt.decode(bytes, text))
    expect(reached.verdict + reached.refused).toBe(8 * (to - from))
    expect(reached.verdict).toBeGreaterThanOrEqual(verdicts)
    expect(reached.refused).toBeGreaterThanOrEqual(refusals)
  })

  const json = Bytes.fromText(JSON.stringify(Receipt.toJson(Example.receipt)))
  it.each([0, 1, 2, 3])('in quarter %i of the receipt as JSON', async (quarter) => {
    const [from, to] = [quarter, quarter + 1].map((i) => Math.floor((i * json.length) / 4))
    const reached = await countRefused(json, [from ?? 0, to ?? 0], (bytes) =>
      Receipt.fromJson(JSON.parse(text(bytes))),
    )
    expect(reached.verdict).toBeGreaterThan(200)
    expect(reached.refused).toBeGreaterThan(200)
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
      const said = reasonOf(report, 'signed')
      if (said !== `fails ${code}` || report.judgement.met) expect.fail(`bit ${bit}: ${said}`)
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
      const said = reasonOf(report, 'signed')
      if (said !== 'fails offer-mismatch') expect.fail(`bit ${bit}: ${said}`)
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
