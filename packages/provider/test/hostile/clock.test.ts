import { expect, test } from 'vitest'
import { Fixture } from '../Fixture.ts'

test.each([-3_600_000, 3_600_000])(
  'a clock %s ms wrong: access, offer and claim have the chain’s time',
  async (ms) => {
    await using fixture = new Fixture()
    const { clock } = fixture
    clock.now = () => clock.ms + ms
    await fixture.start()
    const near = (time: number) => Math.abs(time - clock.ms) < 60_000
    const { validity } = (await fixture.offer()).offer
    expect(validity.notBefore * 1000).toBeLessThanOrEqual(clock.ms)
    expect(near(validity.notBefore * 1000)).toBe(true)
    const { end } = await fixture.ask(await fixture.jobPost())
    const { started, firstToken, ended } = end?.receipt.claim.time ?? { started: 0, firstToken: 0, ended: 0 }
    expect([started, firstToken, ended].every(near)).toBe(true)
    expect((await fixture.state()).exposure).toBe(end?.receipt.claim.amount)
  },
)
