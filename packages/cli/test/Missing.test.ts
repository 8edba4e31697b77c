import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Batch, Network, type Report, Transcript, Verdict } from '@counterfoil/protocol'
import { expect, test } from 'vitest'
import * as Missing from '../src/Missing.ts'

const vectors = join(import.meta.dirname, '../../../spec/vectors')
const first = (noun: string) => JSON.parse(readFileSync(join(vectors, noun, 'valid.json'), 'utf8')).cases[0]
const { receipt } = Transcript.fromJson(first('transcript').transcript)
const network = { epochSeconds: 600 } as Network.Network
const due = Batch.deadline(receipt.claim.epoch, 600) * 1000
const report = (verdict: Verdict.Verdict): Report => ({
  claimId: receipt.claim.request,
  verdicts: [Verdict.holds('signed'), verdict],
  policy: { least: 'signed' },
  judgement: { met: true },
})
const of = (verdict: Verdict.Verdict, now: number) => Missing.of(receipt, report(verdict), { network, now })

test('once its root is due, what no batch shows names the command; before that, and where it is shown, nothing', () => {
  const unposted = Verdict.unknown('committed', 'root-not-posted', 'no root')
  expect(of(unposted, due)).toBeUndefined()
  expect(of(unposted, due + 1)).toEqual({
    why: `its batch was due at ${new Date(due).toISOString()} and is not on the chain`,
    fix: `demand it with: foil demand ${receipt.claim.request}`,
  })
  for (const code of ['inclusion-missing', 'inclusion-invalid'] as const)
    expect(of(Verdict.unknown('committed', code, 'no proof'), due + 1)?.why).toContain('is on the chain')
  expect(of(Verdict.holds('committed'), due + 1)).toBeUndefined()
  expect(of(Verdict.fails('committed', 'root-late', 'late'), due + 1)).toBeUndefined()
})

test('a kept receipt says whether its proof is kept, without asking anybody', () => {
  const network = Network.fromJson(first('network').network)
  const claim = { ...receipt.claim, domain: Network.domain(network) }
  const bare = { ...receipt, claim, evidence: [] }
  const dueAt = Batch.deadline(claim.epoch, network.epochSeconds) * 1000
  expect(Missing.keptProof(bare, { network, now: dueAt })).toBe('early')
  expect(Missing.keptProof(bare, { network, now: dueAt + 1 })).toBe('missing')
  const shown = { ...bare, evidence: [{ kind: 'inclusion' as const, path: [] }] }
  expect(Missing.keptProof(shown, { network, now: dueAt + 1 })).toBe('kept')
  expect(Missing.keptProof(bare, { network: undefined, now: dueAt + 1 })).toBe('unknown')
  const other = { ...network, chainId: 1 }
  expect(Missing.keptProof(bare, { network: other, now: dueAt + 1 }), 'of another network').toBe('unknown')
})
