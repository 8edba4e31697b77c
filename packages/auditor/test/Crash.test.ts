// The auditor dies (kill -9) at every step of an audit: its files as they lay on the disk at that moment are what the next
// process finds. Nothing is lost, bought answers count, nothing counts twice.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AuditPage, Network, AuditPage as Pages, p256Noble } from '@counterfoil/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digest } from '../../sdk/test/FakeGateway.ts'
import type { Service } from '../src/service.ts'
import { Bed, token } from './Fixture.ts'

const moments = [
  'planned',
  'committing',
  'committed',
  'drawn',
  'asked',
  'bought',
  'scoring',
  'opened',
] as const
type Moment = (typeof moments)[number]

const dir = mkdtempSync(join(tmpdir(), 'counterfoil-auditor-'))
const images = new Map<Moment, { readonly dataDir: string; readonly asked: number }>()
let bed: Bed
let whole: AuditPage.AuditPage

/** What a crash now would leave. A database in WAL mode is good at every moment: that is what the journal is for. */
function take(moment: Moment): void {
  if (images.has(moment)) return
  const dataDir = join(dir, moment)
  cpSync(bed.dataDir, dataDir, { recursive: true })
  images.set(moment, { dataDir, asked: bed.gateway.bodies.length })
}

async function pageOf(service: Service): Promise<AuditPage.AuditPage> {
  const response = await fetch(`${service.url}/v1/commitments/0`, {
    headers: { authorization: `Bearer ${token}` },
  })
  const page = Pages.fromJson(await response.json())
  await Pages.check(page, {
    domain: Network.domain(bed.network),
    commitment: bed.chain.commitments[0] ?? expect.fail('no commitment'),
    beacon: digest('beacon 0'),
    keys: [bed.gateway.key],
    p256: p256Noble,
  })
  return page
}

beforeAll(async () => {
  bed = await Bed.create()
  bed.chain.jobsPosted = 50
  const commit = bed.chain.commit.bind(bed.chain)
  bed.chain.commit = async (plan) => {
    take('committing')
    await commit(plan)
  }
  const score = bed.scorer.score.bind(bed.scorer)
  bed.scorer.score = async (asked) => {
    take('scoring')
    return score(asked)
  }
  bed.lies.body = (body) => {
    take('asked')
    return body
  }
  bed.onEvent = (event) => {
    if ((moments as readonly string[]).includes(event)) take(event as Moment)
  }
  await using service = await bed.start()
  for (let i = 0; i < 20; i += 1) await service.round()
  whole = await pageOf(service)
  expect(whole.leaves.filter(({ state }) => state === 'opened').length).toBeGreaterThan(4)
}, 60_000)
afterAll(async () => {
  await bed?.[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true })
})

test.each(moments)(
  'killed when %s: the next process ends where this one would have',
  async (moment) => {
    const image = images.get(moment) ?? expect.fail(`${moment} never came`)
    const answered = bed.gateway.bodies.length
    Object.assign(bed.config, { dataDir: image.dataDir })
    await using service = await bed.start()
    for (let i = 0; i < 20; i += 1) await service.round()
    const page = await pageOf(service)
    const requests = (one: AuditPage.AuditPage) =>
      one.leaves.map((leaf) => (leaf.state === 'opened' ? leaf.receipt.claim.request : leaf.state))
    expect(requests(page)).toEqual(requests(whole))
    const opened = requests(page).filter((one) => one.startsWith('0x'))
    expect(new Set(opened).size).toBe(opened.length)
    expect(bed.chain.commitments).toHaveLength(1)
    // What was on its way or bought at the crash is fetched; only what was never asked is asked.
    const left = opened.length - Math.max(image.asked, ['asked'].includes(moment) ? 1 : 0)
    expect(bed.gateway.bodies.length - answered).toBeLessThanOrEqual(left)
  },
  60_000,
)
