import { join } from 'node:path'
import { connectWallet } from '@counterfoil/chain'
import { channels } from '@counterfoil/contracts/abi'
import type { Bytes } from '@counterfoil/protocol'
import * as Daemon from '../../src/Daemon.ts'
import * as Ports from '../../src/Ports.ts'
import * as Secrets from '../../src/Secrets.ts'
import type * as Testnet from '../../src/Testnet.ts'

/** Another gateway on the network's database and its gateway's channels: its equal in everything but the port. */
export async function start(testnet: Testnet.Testnet, home: string): Promise<Daemon.Daemon> {
  const keys = join(home, 'keys')
  const { publicClient, network, account } = connectWallet(
    testnet.network,
    Secrets.privateKey(keys, 'gateway'),
  )
  const opened = await publicClient.getContractEvents({
    address: network.contracts.channels,
    abi: channels.abi,
    eventName: 'Opened',
    // Others who joined the network pay on channels of their own.
    args: { payer: account.address },
    fromBlock: 0n,
    strict: true,
  })
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
