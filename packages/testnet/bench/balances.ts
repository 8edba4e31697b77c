import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApiKeys, openDatabase } from '@counterfoil/gateway'
import { Bytes, type Transcript } from '@counterfoil/protocol'
import * as Leases from '../../gateway/src/ledger/Leases.ts'
import type * as Ledger from '../../gateway/src/ledger/Ledger.ts'
import * as LedgerRows from '../../gateway/src/ledger/Rows.ts'
import * as Postgres from '../src/Postgres.ts'
import * as FakeTranscript from './FakeTranscript.ts'
import * as Params from './Params.ts'
import * as Quartiles from './Quartiles.ts'
import * as Rounds from './Rounds.ts'
import * as Row from './Row.ts'
import { cpuSecondsOfTree } from './Usage.ts'

const section = 'Balances'

/**
 * One key's balance under 16 writers: each holds a worst case, with its request written to the journal, and settles it, with
 * an answer of 50 tokens kept. Durable at both steps, in a real database; only HTTP and the provider are left out.
 */
export async function run(mode: Params.Mode): Promise<readonly Row.Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'counterfoil-balances-'))
  const server = await Postgres.create({ dir: join(dir, 'postgres'), log: join(dir, 'postgres.log') })
  try {
    await using opened = await openDatabase(server.url)
    let statements = 0
    const database = opened.withPlugin({
      transformQuery({ node }) {
        statements += 1
        return node
      },
      transformResult: async ({ result }) => result,
    })
    const { id: keyId } = await ApiKeys.create(opened, { name: 'bench', balance: 10n ** 15n })
    const owner = 1n
    const ledgers = {
      'its row locked for each request': LedgerRows.create(database),
      'leased in slices, written in groups': Leases.create({
        ...{ database, owner, monotonicMs: () => performance.now() },
        alive: async () => new Set([owner]),
      }),
    }
    const { transcript: sample } = FakeTranscript.create({ sequence: 1n, epoch: 1n })
    const arm = (ledger: Ledger.Ledger) => async () => {
      const database = cpuSecondsOfTree(server.pid())
      const before = { statements, database, cpu: process.cpuUsage() }
      const { count, seconds, begins, accepts } = await load(ledger, keyId, sample, mode.gateway.seconds)
      const { user, system } = process.cpuUsage(before.cpu)
      return {
        rate: count / seconds,
        statements: (statements - before.statements) / count,
        cpuMs: (user + system) / 1000 / count,
        databaseMs: ((cpuSecondsOfTree(server.pid()) - before.database) * 1000) / count,
        beginP50: Quartiles.percentile(begins, 0.5),
        beginP99: Quartiles.percentile(begins, 0.99),
        acceptP50: Quartiles.percentile(accepts, 0.5),
        acceptP99: Quartiles.percentile(accepts, 0.99),
      }
    }
    const arms = Object.entries(ledgers).map(([name, ledger]) => [name, arm(ledger)] as const)
    const samples = await Rounds.interleave(
      Object.fromEntries(arms) as Record<keyof typeof ledgers, ReturnType<typeof arm>>,
      { warmup: mode.warmup, rounds: mode.gateway.rounds },
    )
    const [first] = Object.keys(ledgers) as (keyof typeof ledgers)[]
    if (!first) throw new Error('no ledger')
    return [
      { name: 'rate', metric: 'held and settled', unit: 'requests/s' },
      { name: 'statements', metric: 'statements', unit: 'a request' },
      { name: 'cpuMs', metric: 'processor time of the writers', unit: 'ms a request' },
      { name: 'databaseMs', metric: 'processor time of the database', unit: 'ms a request' },
      { name: 'beginP50', metric: 'held and journalled, median', unit: 'ms' },
      { name: 'beginP99', metric: 'held and journalled, 99th percentile', unit: 'ms' },
      { name: 'acceptP50', metric: 'settled, median', unit: 'ms' },
      { name: 'acceptP99', metric: 'settled, 99th percentile', unit: 'ms' },
    ].flatMap(({ name, metric, unit }) =>
      Row.compare(
        (what) => ({ section, what: `one key, 16 writers, ${what}`, metric, unit }),
        Rounds.metric(samples, name as 'rate'),
        first,
      ),
    )
  } finally {
    await server.stop()
    rmSync(dir, { recursive: true })
  }
}

async function load(ledger: Ledger.Ledger, keyId: string, sample: Transcript.Transcript, seconds: number) {
  const job = JSON.stringify(sample.job)
  const offer = JSON.stringify(sample.offer, (_, value) => (typeof value === 'bigint' ? `${value}` : value))
  const { claim } = sample.receipt
  const start = performance.now()
  const deadline = start + seconds * 1000
  const begins: number[] = []
  const accepts: number[] = []
  let count = 0
  async function write(): Promise<void> {
    while (performance.now() < deadline) {
      const request = digest()
      const entry = { request, keyId, idempotencyKey: undefined, nonce: digest(), job, label: 'bench' }
      const asked = performance.now()
      const begun = await ledger.begin(
        { ...entry, nonceFrom: 'gateway' },
        { provider: claim.provider, channel: claim.channel, offer, epoch: 1n, owner: 1n, reserved: 1_000n },
      )
      if (begun.kind !== 'begun') throw new Error(`a request was not begun: ${begun.kind}`)
      const held = performance.now()
      const receipt = { ...sample.receipt, claim: { ...claim, request } }
      const settled = await ledger.accept({ attemptId: begun.attemptId, transcript: { ...sample, receipt } })
      if (settled.kind !== 'accepted') throw new Error(`a claim was not accepted: ${settled.reason}`)
      begins.push(held - asked)
      accepts.push(performance.now() - held)
      count += 1
    }
  }
  await Promise.all(Array.from({ length: Params.connections }, write))
  return { count, seconds: (performance.now() - start) / 1000, begins, accepts }
}

function digest(): Bytes.Hex {
  return Bytes.toHex(new Uint8Array(randomBytes(32)))
}
