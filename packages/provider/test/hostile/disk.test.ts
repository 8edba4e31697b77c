import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import * as Disk from '../../../http/test/Disk.ts'
import { Fixture, refusalOf } from '../Fixture.ts'

// A disk that is full at every moment of a job: nothing is acknowledged that is not durable, and work goes on when there is room.

let disk: Disk.Disk | undefined
let fixture: Fixture
beforeEach(async () => {
  disk = Disk.mount(4 * 1_048_576)
  if (disk) fixture = await new Fixture(join(disk.dir, 'provider')).start()
})
afterEach(async () => {
  await fixture?.[Symbol.asyncDispose]()
  disk?.unmount()
})

const fill = () => {
  if (!disk) return
  // To the last byte: in pieces that grow smaller.
  for (let size = 1_048_576, n = 0; size >= 1; n += 1)
    try {
      writeFileSync(join(disk.dir, `filler ${n}`), Buffer.alloc(size))
    } catch {
      size = Math.floor(size / 2)
    }
}
const empty = () => {
  for (let n = 0; n < 100; n += 1) if (disk) rmSync(join(disk.dir, `filler ${n}`), { force: true })
}
const health = async () => {
  const response = await fixture.call('/healthz')
  return { code: response.status, ...((await response.json()) as object) }
}

test('full when an answer ends: an error with a name, no claim, no job more, until there is room', async () => {
  if (!disk) return console.log('not tried: no small file system can be mounted here')
  const before = await fixture.ask(await fixture.jobPost())
  fixture.engine.hold = true
  const post = await fixture.jobPost()
  const asked = fixture.ask(post)
  await expect.poll(() => fixture.engine.busy, { interval: 5, timeout: 20_000 }).toBe(1)
  fill()
  fixture.engine.next(100)
  const { end, error } = await asked
  expect(end).toBeUndefined()
  expect(error?.code).toBe('unavailable')
  expect(await health()).toEqual({
    ...{ code: 503, status: 'disk-failed', running: 0, sinceMs: expect.any(Number) },
  })
  fixture.engine.hold = false
  const steps = fixture.engine.steps
  const refused = await fixture.postJob({ ...post, offer: before.end?.receipt.claim.offer ?? post.offer })
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
  expect((await refusalOf(refused)).code).toBe('unavailable')
  expect(fixture.engine.steps).toBe(steps)
  empty()
  await expect.poll(async () => (await health()).code, { interval: 50, timeout: 20_000 }).toBe(200)
  // The same request is answered now, with a number that was never given before.
  const { end: again } = await fixture.ask(post)
  expect(again?.receipt.claim.sequence).toBeGreaterThan(before.end?.receipt.claim.sequence ?? 0n)
  const { exposure } = await fixture.state()
  expect(exposure).toBe((before.end?.receipt.claim.amount ?? 0n) + (again?.receipt.claim.amount ?? 0n))
  // And all of it is there after a restart.
  await fixture.restart()
  expect((await fixture.ask(post)).end).toEqual(again)
}, 60_000)
