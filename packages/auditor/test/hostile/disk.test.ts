import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import * as Disk from '../../../http/test/Disk.ts'
import { Bed } from '../Fixture.ts'

// A full disk: a plan is on it before it is committed to, a purchase before it is sent, or neither happens.

let disk: Disk.Disk | undefined
afterEach(() => disk?.unmount())

test('full while audits go on: nothing is asked that is not written down, health says so, and it goes on when there is room', async () => {
  disk = Disk.mount(2 * 1_048_576)
  if (!disk) return console.log('not tried: no small file system can be mounted here')
  const { dir } = disk
  await using bed = await Bed.create()
  bed.chain.jobsPosted = 50
  const dataDir = join(dir, 'auditor')
  cpSync(bed.dataDir, dataDir, { recursive: true })
  Object.assign(bed.config, { dataDir })
  await using service = await bed.start()
  const fillers: string[] = []
  for (let size = 1_048_576; size >= 1; )
    try {
      const path = join(dir, `filler ${fillers.length}`)
      fillers.push(path)
      writeFileSync(path, Buffer.alloc(size))
    } catch {
      size = Math.floor(size / 2)
    }
  await expect(service.round()).rejects.toThrow(/full|disk I\/O/)
  const health = await fetch(`${service.url}/healthz`)
  expect([health.status, await health.json()]).toMatchObject([503, { ok: false, reason: 'disk-failed' }])
  expect(bed.chain.commitments).toEqual([])
  expect(bed.gateway.bodies).toEqual([])
  for (const path of fillers) rmSync(path, { force: true })
  // The chain is read again from where the count was last written down.
  bed.chain.isCounted = false
  for (let i = 0; i < 20; i += 1) await service.round()
  expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
  expect(bed.chain.commitments).toHaveLength(1)
  const requests = bed.gateway.bodies.map((body) => JSON.stringify(body))
  expect(requests.length).toBeGreaterThan(4)
  expect(new Set(requests).size).toBe(requests.length)
}, 60_000)
