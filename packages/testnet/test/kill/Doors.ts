import { join } from 'node:path'
import { connect } from '@counterfoil/chain'
import { channels } from '@counterfoil/contracts/abi'
import { ApiKeys, openDatabase } from '@counterfoil/gateway'
import type { Bytes } from '@counterfoil/protocol'
import * as Daemon from '../../src/Daemon.ts'
import * as Params from '../../src/Params.ts'
import * as Ports from '../../src/Ports.ts'
import type * as Testnet from '../../src/Testnet.ts'

/** Another gateway on the network's database and channels: its equal in everything but the port. */
export async function second(testnet: Testnet.Testnet, home: string): Promise<Daemon.Daemon> {
  const { publicClient, network } = connect(testnet.network)
  const opened = await publicClient.getContractEvents({
    address: network.contracts.channels,
    abi: channels.abi,
    eventName: 'Opened',
    fromBlock: 0n,
    strict: true,
  })
  const keys = join(home, 'keys')
  return Daemon.create({
    room: 'gateway',
    name: 'gateway-2',
    log: join(home, 'logs', 'gateway-2.log'),
    env: {
      COUNTERFOIL_NETWORK: join(home, 'network.json'),
      DATABASE_URL_FILE: join(keys, 'database.url'),
      GATEWAY_PORT: String(await Ports.free()),
      GATEWAY_KEY_FILE: join(keys, 'gateway.key'),
      GATEWAY_CHANNELS: opened.map(({ args }) => args.id satisfies Bytes.Hex).join(','),
    },
  })
}

/** Keys of several callers, one of which will run out of money, and what was put on each, by its id. */
export type Accounts = {
  readonly apiKeys: readonly [string, ...string[]]
  readonly granted: ReadonlyMap<string, bigint>
}

/** Some dozens of short answers. */
const littleMicros = 2_000n

/** A network that ran before has keys of the same names, each made with the same money. */
export async function accounts(databaseUrl: string, local: string): Promise<Accounts> {
  await using database = await openDatabase(databaseUrl)
  const known = await ApiKeys.list(database)
  const granted = new Map(
    known.map(({ id, name }) => [id, name === 'poor' ? littleMicros : Params.balanceMicros]),
  )
  const apiKeys: [string, ...string[]] = [local]
  for (const [name, balance] of [
    ['rich', Params.balanceMicros],
    ['poor', littleMicros],
  ] as const) {
    const { id, key } = await ApiKeys.create(database, { name, balance })
    granted.set(id, balance)
    apiKeys.push(key)
  }
  // The poor one is asked with seldom: it is refused soon.
  return { apiKeys: [...apiKeys.slice(0, 2), ...apiKeys] as [string, ...string[]], granted }
}
