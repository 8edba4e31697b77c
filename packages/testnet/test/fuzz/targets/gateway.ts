import { type Bytes, ChatRequest, Job, Refusal } from '@counterfoil/protocol'
import fc from 'fast-check'
import * as Databases from '../../../../gateway/test/Database.ts'
import * as Fixture from '../../../../gateway/test/Fixture.ts'
import { Given } from '../Given.ts'
import * as Http from '../Http.ts'
import * as Json from '../Json.ts'
import * as Requests from '../Requests.ts'
import { BrokenError, cases, type Target, type Trial, trial } from '../Target.ts'

// The gateway's two doors over a real database, with a provider that is a fake (its codecs, keys and socket are not).

const digest: Bytes.Hex = `0x${'ab'.repeat(32)}`
const address: Bytes.Hex = `0x${'cd'.repeat(20)}`
const balance = 1_000_000_000_000n
/** Opens the operator's door. */
const token = 'f0'.repeat(16)

const chat = {
  model: 'test-model',
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [{ type: 'text', text: 'Größe? 🦊' }], name: 'ada' },
  ],
  ...{
    max_tokens: 16,
    temperature: 0.5,
    top_p: 0.9,
    seed: -7,
    stop: ['END'],
    logprobs: true,
    top_logprobs: 2,
  },
  ...{
    stream: true,
    stream_options: { include_usage: true },
    user: 'u',
    n: 1,
    tools: [],
    tool_choice: 'auto',
  },
}
const plain = { model: 'test-model', messages: Fixture.messages, max_completion_tokens: 8 }

const ways: readonly Requests.Way[] = [
  ...[chat, plain, plain].map((body) => ({ method: 'POST', path: '/v1/chat/completions', body })),
  ...[
    ...[
      '/v1/models',
      '/v1/models/test-model',
      `/v1/models/${digest}`,
      `/v1/receipts/${digest}`,
      '/v1/network',
    ],
    ...['/v1/providers', '/v1/histories', `/v1/histories/${address}/${digest}`, '/v1/commitments'],
    ...[
      '/v1/commitments/0',
      '/v1/commitments/999999999999999',
      `/v1/bundles/${digest}`,
      `/v1/calibrations/${digest}`,
    ],
    ...['/healthz', '/v1/embeddings'],
  ].map((path) => ({ method: 'GET', path })),
]

async function open(): Promise<Trial> {
  const databases = await Databases.start()
  const world = await Fixture.create(await databases.fresh(), {
    balance,
    limits: { keepAliveMs: 1_000 },
    admin: { host: '127.0.0.1', port: 0, token },
  })
  const { url } = world.gateway
  const headers = [
    ['authorization', `Bearer ${world.key}`],
    ['content-type', 'application/json'],
  ] as const
  const given = new Given()

  async function stored(): Promise<readonly { readonly request: string; readonly amount: bigint }[]> {
    const rows = await databases.query(world.databaseUrl, 'select request, amount::text from receipts')
    return rows.map(({ request, amount }) => ({ request: String(request), amount: BigInt(String(amount)) }))
  }

  async function ask(request: Http.Request) {
    const answer = await Http.send(url, Http.encode(request), true)
    const outcome = Http.judge(answer, request.method)
    const receipt = answer?.headers.get('x-receipt-id')
    if (receipt !== undefined) given.heard(receipt)
    return outcome
  }

  /** At the operator's door, which opens to its token alone. */
  async function askOperator(request: Http.Request) {
    const answer = await Http.send(operator, Http.encode(request), true)
    const outcome = Http.judge(answer, request.method)
    const presented = request.headers.filter(([name]) => name === 'authorization')
    if (outcome === 'accepted' && !presented.some(([, value]) => value === `Bearer ${token}`))
      throw new BrokenError(`the operator's door opened to ${JSON.stringify(presented)}`)
    return outcome
  }

  const operator = world.gateway.adminUrl ?? ''
  const doors = [...[1, 2, 3, 4].map(() => ({ method: 'GET', path: '/metrics' })), ...ways]
  const keys = [['authorization', `Bearer ${token}`]] as const
  const inputs = fc.oneof(
    { arbitrary: cases(Requests.changed(ways, headers), ask), weight: 9 },
    { arbitrary: cases(Requests.changed(doors, keys), askOperator), weight: 2 },
    {
      arbitrary: cases(Requests.tampered(doors, keys), async (bytes) =>
        Http.judgeRaw(await Http.send(operator, bytes, false)),
      ),
      weight: 1,
    },
    {
      arbitrary: cases(Requests.tampered(ways, headers), async (bytes) => {
        const answer = await Http.send(url, bytes, false)
        // Whoever closed its side may have been answered, and is charged, without reading a word of it.
        given.unheard()
        return Http.judgeRaw(answer)
      }),
      weight: 1,
    },
  )
  return {
    cases: inputs.map((one) => ({ ...one, shown: Http.shown(one.shown) })),
    async settle() {
      const good = await world.chat({ max_tokens: 2 })
      if (good.status !== 200)
        throw new BrokenError(`a good request is answered with ${good.status} afterwards`)
      await good.text()
      given.heard(good.headers.get('x-receipt-id') ?? 'of the good request')
      const metrics = await fetch(`${operator}/metrics`, { headers: { authorization: `Bearer ${token}` } })
      if (!metrics.ok) throw new BrokenError(`metrics are answered with ${metrics.status} afterwards`)
      await metrics.text()
      given.assert((await stored()).map(({ request }) => request))
      for (const { jobs, vouchers, cancelled, claims } of world.providers) {
        jobs.length = 0
        vouchers.length = 0
        cancelled.length = 0
        for (const [id, { state }] of claims) if (state !== 'unpaid') claims.delete(id)
      }
    },
    async finish() {
      // A gateway that stops gives back what it had leased.
      await world.restart()
      const receipts = await stored()
      given.assert(receipts.map(({ request }) => request))
      const amount = receipts.reduce((sum, one) => sum + one.amount, 0n)
      const left = await world.balance()
      if (left.balance !== balance - amount || left.reserved !== 0n)
        throw new BrokenError(
          `the balance is ${left.balance} with ${left.reserved} reserved, receipts come to ${amount} of ${balance}`,
        )
    },
    async close() {
      await world.close()
      await databases.close()
    },
  }
}

export const gateway: readonly Target[] = [
  {
    name: 'job request',
    weight: 80,
    open: () =>
      trial(Json.mutated([chat, plain]), (body) => {
        const derived = ChatRequest.toJob(body, { model: digest, nonce: digest })
        if (!derived.ok) {
          const { code, message } = derived.refusal
          if (!Refusal.isCode(code) || message.length > 4_096)
            throw new BrokenError(`${code}: ${message.length}`)
          return 'refused'
        }
        if (Job.digest(Job.decode(derived.job), digest) !== Job.digest(derived.job, digest))
          throw new BrokenError('the job is not its own decoding')
        return 'accepted'
      }),
  },
  { name: 'gateway', weight: 16, open },
]
