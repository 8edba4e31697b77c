import fc from 'fast-check'
import { Bed, provider, token } from '../../../../auditor/test/Fixture.ts'
import { digest, modelId } from '../../../../sdk/test/FakeGateway.ts'
import * as Http from '../Http.ts'
import * as Requests from '../Requests.ts'
import { BrokenError, cases, type Target, type Trial } from '../Target.ts'

// The auditor's door over its real store, with audits found beforehand; gateway, chain and weights are fakes.

async function open(): Promise<Trial> {
  const bed = await Bed.create()
  bed.chain.jobsPosted = 25
  // A clock on which a minute passes with each look: nobody here is told to come back later.
  let elapsedMs = 0
  const clock = {
    now: () => bed.nowMs,
    monotonicMs() {
      elapsedMs += 60_000
      return elapsedMs
    },
  }
  const service = await bed.start({ clock })
  for (let i = 0; i < 20; i += 1) await service.round()
  const { url } = service
  const page = async () => (await fetch(`${url}/v1/commitments/0`)).text()
  const first = await page()
  const ways = [
    ...[
      '/v1/commitments',
      '/v1/commitments/0',
      '/v1/commitments/999999999999999',
      '/v1/histories',
      '/healthz',
    ],
    ...[
      `/v1/histories/${provider}/${modelId}`,
      `/v1/bundles/${digest('claim')}`,
      `/v1/calibrations/${digest('x')}`,
    ],
  ].map((path) => ({ method: 'GET', path }))
  const headers = [['authorization', `Bearer ${token}`]] as const
  const inputs = fc.oneof(
    {
      arbitrary: cases(Requests.changed(ways, headers), async (request) =>
        Http.judge(await Http.send(url, Http.encode(request), true), request.method),
      ),
      weight: 9,
    },
    {
      arbitrary: cases(Requests.tampered(ways, headers), async (bytes) => {
        return Http.judgeRaw(await Http.send(url, bytes, false))
      }),
      weight: 1,
    },
  )
  return {
    cases: inputs.map((one) => ({ ...one, shown: Http.shown(one.shown) })),
    async settle() {
      if ((await page()) !== first) throw new BrokenError('a page is another than before')
      // The bed keeps what was logged.
      bed.events.length = 0
    },
    async close() {
      await service[Symbol.asyncDispose]()
      await bed[Symbol.asyncDispose]()
    },
  }
}

export const auditor: readonly Target[] = [{ name: 'auditor', weight: 8, open }]
