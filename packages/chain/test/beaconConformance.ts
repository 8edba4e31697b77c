import type { Beacon } from '@counterfoil/chain'
import type { Audit, Bytes } from '@counterfoil/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

export type At = Pick<Audit.Commitment, 'blockNumber' | 'time'>

/** What a suite needs of a beacon: commitments that are decided, one that is not yet, and a way to lose the source. */
export type Scene = {
  readonly beacon: Beacon
  readonly decided: readonly [At, At]
  readonly undecided: At
  lose(): Promise<void>
}

/** What every beacon promises. */
export function conformance(name: Beacon['kind'], create: () => Promise<Scene>): void {
  describe(`beacon ${name}`, () => {
    let scene: Scene
    beforeAll(async () => {
      scene = await create()
    })
    afterAll(() => scene?.lose())

    test('says its name', () => expect(scene.beacon.kind).toBe(name))

    test('gives each commitment 32 bytes of its own, the same each time', async () => {
      const [one, other] = await Promise.all(scene.decided.map((at) => scene.beacon.of(at)))
      expect(one).toMatch(/^0x[0-9a-f]{64}$/)
      expect(other).toMatch(/^0x[0-9a-f]{64}$/)
      expect(other).not.toBe(one)
      expect(await scene.beacon.of(scene.decided[0])).toBe(one)
    })

    test('is not out before the commitment is final', async () => {
      expect(await scene.beacon.of(scene.undecided)).toBeUndefined()
    })

    test('that cannot be read is an error, never another value', async () => {
      await scene.lose()
      const lost = await scene.beacon.of(scene.decided[0]).catch((error: unknown) => error)
      expect(lost).toBeInstanceOf(Error)
    })
  })
}

export const hex = (bytes: string): Bytes.Hex => `0x${bytes}`
