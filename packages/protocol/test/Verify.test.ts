import { describe, expect, it } from 'vitest'
import {
  type Audits,
  Batch,
  type Bytes,
  Calibration,
  Claim,
  History,
  type Inputs,
  Job,
  type Key,
  type Nonce,
  Offer,
  Output,
  P256,
  type Policy,
  p256Noble,
  Receipt,
  Trace,
  Verdict,
  verify,
} from '../src/index.ts'
import * as Example from './Example.ts'
import { p256Node } from './reference/NodeCrypto.ts'
import { read } from './vectors/read.ts'

type Json = {
  readonly receipt: unknown
  readonly job?: unknown
  readonly output?: unknown
  readonly salts?: Nonce.Salts
  readonly trace?: unknown
  readonly offer?: unknown
  readonly keys?: readonly Key.ReceiptKey[]
  readonly roots?: readonly unknown[]
  readonly audits?: AuditsJson
  readonly policy: Policy.Policy
  readonly now: number
}
type AuditsJson = Omit<Audits, 'pages' | 'calibration' | 'stakes'> & {
  readonly pages: readonly unknown[]
  readonly calibration: unknown
  readonly stakes: readonly {
    readonly fromCommit: number
    readonly stakes: Readonly<Record<Bytes.Hex, number>>
  }[]
}
type Case = {
  readonly inputs: Json
  readonly verdicts: readonly {
    readonly rung: string
    readonly outcome: string
    readonly reason: string | null
  }[]
  readonly error?: string
}

const given = <T, R>(value: T | undefined, read: (value: T) => R): R | undefined =>
  value === undefined ? undefined : read(value)

function auditsOf({ pages, calibration, stakes, ...rest }: AuditsJson): Audits {
  return {
    ...rest,
    pages: pages.map(History.decode),
    calibration: Calibration.decode(calibration),
    stakes: stakes.map((one) => ({
      ...one,
      stakes: new Map(Object.entries(one.stakes) as [Bytes.Hex, number][]),
    })),
  }
}

function inputsOf(json: Json): { readonly receipt: Receipt.Receipt; readonly inputs: Inputs } {
  const parts = {
    job: given(json.job, Job.decode),
    output: given(json.output, Output.decode),
    salts: json.salts,
    trace: given(json.trace, Trace.fromJson),
    offer: given(json.offer, Offer.fromJson),
    keys: json.keys,
    roots: given(json.roots, (roots) => roots.map(Batch.fromJson)),
    audits: given(json.audits, auditsOf),
  }
  const present = Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined))
  const { policy, now } = json
  return { receipt: Receipt.fromJson(json.receipt), inputs: { ...present, policy, now, p256: p256Node } }
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value))
    Object.values(Object.freeze(value)).forEach(freeze)
  return value
}

const cases = [
  ...read<Case>('verdict', 'valid'),
  ...read<Case>('verdict', 'invalid').filter((one) => one.inputs),
]

describe('verify', () => {
  it.each(cases)('$name', async ({ inputs: json, verdicts, error }) => {
    const { receipt, inputs } = inputsOf(json)
    const report = await verify(freeze(receipt), freeze(inputs))
    const said = report.verdicts.map(({ rung, outcome, reason }) => ({
      rung,
      outcome,
      reason: reason?.code ?? null,
    }))
    const told = verdicts.map((one) => one.rung)
    expect(said.filter((one) => told.includes(one.rung))).toEqual(verdicts)
    expect(said.map((one) => one.rung)).toEqual([...Verdict.rungs])
    if (!json.audits)
      expect(said[2]).toEqual({ rung: 'sampled', outcome: 'unknown', reason: 'input-missing' })
    for (const one of said.slice(3))
      expect(one).toMatchObject({ outcome: 'unknown', reason: 'not-available' })
    expect(report.judgement.met).toBe(error === undefined)
    if (!report.judgement.met) expect(report.judgement.reason.code).toBe(error)
    expect(report.claimId).toBe(Claim.id(receipt.claim))
    expect(report.policy).toEqual(json.policy)
    for (const one of report.verdicts) {
      expect('reason' in one).toBe(one.outcome !== 'holds')
      expect(one.reason?.message.length ?? 99).toBeGreaterThan(20)
    }
  })

  const optional = ['job', 'output', 'salts', 'trace', 'offer', 'keys', 'roots'] as const
  const complete = {
    job: Example.job,
    output: Example.output,
    salts: Example.salts,
    trace: Example.trace,
    offer: Example.signedOffer,
    keys: [Example.key],
    roots: [Example.root],
  }

  it('never says holds where an input is left out, whichever of the 128 sets is given', async () => {
    for (let set = 0; set < 1 << optional.length; set += 1) {
      const names = optional.filter((_, i) => set & (1 << i))
      const parts = Object.fromEntries(names.map((name) => [name, complete[name]]))
      const report = await verify(Example.receipt, {
        ...parts,
        policy: { least: 'signed' },
        now: Example.now,
        p256: p256Node,
      })
      const said = report.verdicts.slice(0, 2).map((one) => one.reason?.code ?? one.outcome)
      const all = optional.slice(0, 6).every((name) => names.includes(name))
      expect(said, names.join()).toEqual([
        all ? 'holds' : 'input-missing',
        names.includes('roots') ? 'holds' : 'input-missing',
      ])
      expect(report.judgement.met).toBe(all)
    }
  })

  it.each([
    ['job', 'the job was not given'],
    ['output', 'the output was not given'],
    ['salts', 'the salts were not given'],
    ['trace', 'the trace was not given'],
    ['offer', 'the offer was not given'],
    ['keys', 'the receipt keys were not given'],
    ['roots', 'the batch roots were not given'],
  ])('names what is missing: %s', async (name, message) => {
    const { [name]: _, ...parts } = complete as Record<string, unknown>
    const inputs = { ...parts, policy: { least: 'signed' as const }, now: Example.now, p256: p256Node }
    const report = await verify(Example.receipt, inputs)
    const reason = report.verdicts[name === 'roots' ? 1 : 0]?.reason
    expect(reason).toEqual({ code: 'input-missing', message: `${message}, so it cannot be checked` })
  })

  it('says the same by every P-256 port', async () => {
    const inputs = { ...complete, policy: { least: 'committed' as const }, now: Example.now }
    for (const p256 of [p256Node, p256Noble, P256.fromSubtle(crypto.subtle)])
      expect((await verify(Example.receipt, { ...inputs, p256 })).judgement).toEqual({ met: true })
  })

  it('shows what differs', async () => {
    const inputs = { ...complete, policy: { least: 'signed' as const }, now: Example.now, p256: p256Node }
    const claim = { ...Example.claim, amount: 99n }
    const report = await verify({ ...Example.receipt, claim, signature: Example.signClaim(claim) }, inputs)
    expect(report.verdicts[0]?.reason?.message).toBe('99 micro-units are claimed, offer times usage is 19')
  })

  it('bounds the error of what it says', () => {
    const bounds = Verdict.rungs.map((rung) => Verdict.holds(rung).errorBound)
    expect(bounds).toEqual([2 ** -128, 2 ** -128, 1e-6, 2 ** -128, 2 ** -128, 2 ** -128])
    for (const rung of Verdict.rungs) {
      const { proves, doesNotProve } = Verdict.unknown(rung, 'not-available', 'x')
      expect(proves.length * doesNotProve.length).toBeGreaterThan(0)
    }
  })
})
