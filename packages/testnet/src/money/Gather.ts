import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Chain, Channels, connect, Keys, Roots, Stable, Time } from '@counterfoil/chain'
import { channels as channelsContract } from '@counterfoil/contracts/abi'
import { type Bytes, Network, Offer } from '@counterfoil/protocol'
import pg from 'pg'
import * as Params from '../Params.ts'
import type { Answer, Batch, ChainFacts, Facts, GatewayFacts, ProviderFacts } from './Facts.ts'

export type Options = {
  /** Home of a network, running or not but for its database and its chain. */
  readonly home: string
  readonly databaseUrl: string
  /** What clients were told, where somebody wrote it down. */
  readonly answers?: readonly Answer[]
  /** What was ever put on each API key, by its id. */
  readonly granted?: ReadonlyMap<string, bigint>
}

/**
 * All books of a network, in the order in which money moves: providers, gateway, chain.
 * @throws {BusyError} where a provider's store never stands still; and when database or chain are away.
 */
export async function gather(options: Options): Promise<Facts> {
  const { home, answers = [], granted } = options
  const network = Network.fromJson(JSON.parse(readFileSync(join(home, 'network.json'), 'utf8')))
  const chain = connect(network)
  const epoch = Time.epochAt(network, await Time.now(chain))
  const stores = readdirSync(home).filter((name) => existsSync(join(home, name, storeFile)))
  const providers: ProviderFacts[] = []
  for (const name of stores.sort()) {
    const { keyIds, ...facts } = readProvider(join(home, name), name, epoch)
    const address = facts.address ?? (await ownerOf(chain, keyIds))
    providers.push({ ...facts, ...(address !== undefined && { address }) })
  }
  const gateway = await readGateway(options.databaseUrl, granted)
  return { chain: await readChain(chain, providers, gateway), providers, gateway, answers }
}

const storeFile = 'provider.sqlite'

/** A provider's store as its last commit left it. The daemon holds the file alone, so a copy of file and log is read. */
function readProvider(
  dir: string,
  name: string,
  epoch: bigint,
): ProviderFacts & { readonly keyIds: readonly Bytes.Hex[] } {
  const copy = mkdtempSync(join(tmpdir(), 'counterfoil-money-'))
  try {
    copyWhole(dir, copy)
    const db = new DatabaseSync(join(copy, storeFile), { readBigInts: true })
    try {
      const rows = (sql: string) =>
        db
          .prepare(sql)
          .all()
          .map((row) => ({ ...row }))
      const [last] = rows('SELECT offer FROM offers ORDER BY not_after DESC LIMIT 1')
      return {
        ...{ name, epoch },
        ...(last && { address: Offer.decode(last.offer as Uint8Array).provider }),
        keyIds: rows('SELECT key_id FROM sequences').map((row) => row.key_id as Bytes.Hex),
        claims: rows(
          `SELECT claim_id AS claimId, key_id AS keyId, sequence, epoch, channel, model, request, amount, state FROM claims`,
        ) as unknown as ProviderFacts['claims'],
        lines: rows('SELECT channel, model, cumulative, epoch FROM vouchers').map((row) => ({
          channel: String(row.channel),
          model: String(row.model),
          cumulative: BigInt(row.cumulative as string),
          epoch: BigInt(row.epoch as string),
        })),
        batches: rows(
          'SELECT key_id AS keyId, epoch, first, end, root FROM batches',
        ) as unknown as ProviderFacts['batches'],
      }
    } finally {
      db.close()
    }
  } finally {
    rmSync(copy, { recursive: true })
  }
}

/** Whose keys these are on the chain, for a store that has signed no offer yet. */
async function ownerOf(chain: Chain, keyIds: readonly Bytes.Hex[]): Promise<string | undefined> {
  for (const keyId of keyIds) {
    const key = await Keys.read(chain, keyId)
    if (key) return key.provider
  }
  return undefined
}

/** File and log belong together only where neither changed while they were copied. */
function copyWhole(from: string, to: string): void {
  const parts = [storeFile, `${storeFile}-wal`]
  const look = () =>
    parts
      .map((part) => join(from, part))
      .map((path) => (existsSync(path) ? `${statSync(path).mtimeMs} ${statSync(path).size}` : ''))
      .join()
  for (let attempt = 0; attempt < Params.storeCopiesMax; attempt++) {
    const before = look()
    for (const part of parts) {
      rmSync(join(to, part), { force: true })
      if (existsSync(join(from, part))) copyFileSync(join(from, part), join(to, part))
    }
    if (look() === before) return
  }
  throw new BusyError(from)
}

async function readGateway(url: string, granted: Options['granted']): Promise<GatewayFacts> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    // One snapshot of all tables.
    await client.query('begin isolation level repeatable read read only')
    const rows = async (sql: string) => (await client.query<Record<string, string>>(sql)).rows
    const keys = await rows(
      // An open lease counts as reserved in its key's row, and what was spent from it has not left the balance yet.
      `select id, granted,
         balance - coalesce((select sum(spends.amount) from spends join leases on leases.id = lease
           where leases.key_id = api_keys.id and open), 0) as balance,
         reserved - coalesce((select sum(amount) from leases where leases.key_id = api_keys.id and open), 0)
           + coalesce((select sum(requests.reserved) from requests join leases on leases.id = lease
             where leases.key_id = api_keys.id and open and state = 'running'), 0) as reserved
       from api_keys`,
    )
    const requests = await rows('select request, key_id, state, reserved from requests')
    const receipts = await rows(
      `select receipts.request, receipts.key_id, claim_id, provider, channel, model, receipts.amount, acknowledged, transcript,
         spends.amount as spent, leases.key_id as spender
       from receipts left join spends on spends.request = receipts.request left join leases on leases.id = spends.lease`,
    )
    const leases = await rows(
      `select id, key_id, amount,
         coalesce((select sum(spends.amount) from spends where lease = leases.id), 0) as spent,
         coalesce((select sum(reserved) from requests where requests.lease = leases.id and state = 'running'), 0) as held
       from leases where open`,
    )
    const strays = await rows(
      `select spends.request, leases.key_id, spends.amount from spends join leases on leases.id = lease
       where not exists (select from receipts where receipts.request = spends.request)`,
    )
    const lines = await rows('select channel, model, cumulative, epoch from lines')
    const refused = await rows('select claim_id, request, reason from refused_claims')
    return {
      keys: keys.map(({ id = '', balance, reserved, granted: written }) => {
        const ever = granted?.get(id) ?? (written == null ? undefined : BigInt(written))
        return {
          ...{ id, balance: BigInt(balance ?? 0), reserved: BigInt(reserved ?? 0) },
          ...(ever !== undefined && { granted: ever }),
        }
      }),
      requests: requests.map(({ request = '', key_id: keyId = '', state, reserved }) => ({
        ...{ request, keyId, state: state as GatewayFacts['requests'][number]['state'] },
        reserved: BigInt(reserved ?? 0),
      })),
      receipts: receipts.map(
        ({ request = '', key_id: keyId = '', claim_id: claimId = '', channel = '', model = '', ...row }) => ({
          ...{ request, keyId, claimId, channel, model, provider: row.provider ?? '' },
          amount: BigInt(row.amount ?? 0),
          acknowledged: (row.acknowledged as unknown) === true,
          ...(row.transcript != null && { content: contentOf(row.transcript) }),
          ...(row.spent != null && { spent: { keyId: row.spender ?? '', amount: BigInt(row.spent) } }),
        }),
      ),
      leases: leases.map(({ id, key_id: keyId = '', amount, spent, held }) => ({
        ...{ id: `${id}`, keyId, amount: BigInt(amount ?? 0) },
        ...{ spent: BigInt(spent ?? 0), held: BigInt(held ?? 0) },
      })),
      strays: strays.map(({ request = '', key_id: keyId = '', amount }) => ({
        ...{ request, keyId, amount: BigInt(amount ?? 0) },
      })),
      lines: lines.map(({ channel = '', model = '', cumulative, epoch }) => ({
        ...{ channel, model },
        ...{ cumulative: BigInt(cumulative ?? 0), epoch: BigInt(epoch ?? 0) },
      })),
      refused: refused.map(({ claim_id: claimId = '', request = '', reason = '' }) => ({
        ...{ claimId, request, reason },
      })),
    }
  } finally {
    await client.end()
  }
}

function contentOf(transcript: string): string {
  const { output } = JSON.parse(transcript) as { output: { choices: { message: { content: string } }[] } }
  return output.choices[0]?.message.content ?? ''
}

async function readChain(
  chain: Chain,
  providers: readonly ProviderFacts[],
  gateway: GatewayFacts,
): Promise<ChainFacts> {
  const models = new Set(
    [...providers.flatMap(({ lines }) => lines), ...gateway.lines].map(({ model }) => model),
  )
  const held = () => Stable.balance(chain, chain.network.contracts.channels)
  for (;;) {
    const before = await held()
    const channels = await readChannels(chain, [...models] as Bytes.Hex[])
    const batches: Batch[] = []
    for (const { keyId, epoch } of providers.flatMap((one) => one.batches)) {
      const batch = await Roots.read(chain, keyId as Bytes.Hex, epoch, { at: 'finalized' })
      if (batch) batches.push({ keyId, epoch, first: batch.first, end: batch.end, root: batch.root })
    }
    // Finalized blocks move on while we read: where money moved with them, read again.
    if ((await held()) === before) return { held: before, channels, batches }
  }
}

async function readChannels(chain: Chain, models: readonly Bytes.Hex[]): Promise<ChainFacts['channels']> {
  const opened = await chain.publicClient.getContractEvents({
    address: chain.network.contracts.channels,
    abi: channelsContract.abi,
    eventName: 'Opened',
    fromBlock: 0n,
    toBlock: 'finalized',
    strict: true,
  })
  const found: ChainFacts['channels'][number][] = []
  for (const { id } of opened.map((event) => event.args)) {
    const channel = await Channels.read(chain, id)
    if (!channel) continue
    const lines = []
    for (const model of models)
      lines.push({ model, redeemed: (await Channels.line(chain, id, model)).redeemed })
    const { payer, deposit, redeemed, closed } = channel
    found.push({ id, payer, deposit, redeemed, closed, lines })
  }
  return found
}

/** A provider writes so fast that no whole copy of its store could be made. */
export class BusyError extends Error {
  override readonly name = 'Gather.BusyError'
  constructor(dir: string) {
    super(
      `the store in ${dir} changed during each of ${Params.storeCopiesMax} copies: look again when it is less busy`,
    )
  }
}
