import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectWallet } from '@counterfoil/chain'
import { defaultModel, defaultStoreDir, pull, Store } from '@counterfoil/models'
import type { Bytes, Network } from '@counterfoil/protocol'
import * as Anvil from '../src/Anvil.ts'
import { inherited } from '../src/config.ts'
import * as Genesis from '../src/Genesis.ts'
import { tail } from '../src/Leash.ts'
import * as Ports from '../src/Ports.ts'
import * as Secrets from '../src/Secrets.ts'

/** A chain with our contracts, one provider enrolled at a port of its own, and a payer's funded channel to it. */
export type Bed = AsyncDisposable & {
  readonly dir: string
  readonly keys: string
  readonly network: Network.Network
  readonly networkFile: string
  readonly provider: { readonly address: Bytes.Hex; readonly port: number; readonly key: Secrets.ReceiptKey }
  readonly payer: { readonly address: Bytes.Hex; readonly privateKey: Bytes.Hex }
  readonly channel: Bytes.Hex
  chainPid(): number
  log(name: string): string
}

/**
 * Makes a bed, lends it to `work`, and clears it away with all that `work` put on the stack. What goes wrong meanwhile is
 * told with the ends of the logs.
 */
export async function lend<T>(
  modelId: Bytes.Hex,
  work: (bed: Bed, stack: AsyncDisposableStack) => Promise<T>,
): Promise<T> {
  await using stack = new AsyncDisposableStack()
  const bed = stack.use(await create(modelId))
  try {
    return await work(bed, stack)
  } catch (error) {
    const logs = join(bed.dir, 'logs')
    const ends = readdirSync(logs).map((file) => `--- ${file}\n${tail(join(logs, file))}`)
    throw new Error(`${error instanceof Error ? error.message : error}\n${ends.join('\n')}`, { cause: error })
  }
}

async function create(modelId: Bytes.Hex): Promise<Bed> {
  const dir = mkdtempSync(join(tmpdir(), 'counterfoil-bench-'))
  const keys = join(dir, 'keys')
  const log = (name: string) => join(dir, 'logs', `${name}.log`)
  const stack = new AsyncDisposableStack()
  stack.defer(() => rmSync(dir, { recursive: true }))
  try {
    const chain = await Anvil.create({ dir: join(dir, 'chain'), log: log('chain') })
    stack.defer(() => chain.stop())
    const network = await Genesis.network(chain, dir, Secrets.privateKey(keys, 'deployer'))
    const privateKey = Secrets.privateKey(keys, 'payer')
    const payer = connectWallet(network, privateKey)
    const seat = connectWallet(network, Secrets.privateKey(keys, 'provider'))
    const [payerAddress, address] = [payer, seat].map(
      ({ account }) => account.address.toLowerCase() as Bytes.Hex,
    ) as [Bytes.Hex, Bytes.Hex]
    await Genesis.fuel(chain, network, [payerAddress, address])
    await Genesis.publish(payer, modelId)
    const port = await Ports.free()
    const key = Secrets.receiptKey(keys, 'provider')
    await Genesis.enroll(seat, { endpoint: `http://127.0.0.1:${port}`, key })
    const channel = await Genesis.channel(payer, { payee: address, signer: payerAddress })
    await Genesis.finalize(chain)
    const held = stack.move()
    return {
      ...{ dir, keys, network, channel, log },
      chainPid: () => chain.pid(),
      networkFile: join(dir, 'network.json'),
      provider: { address, port, key },
      payer: { address: payerAddress, privateKey },
      [Symbol.asyncDispose]: () => held.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

export type Model = { readonly id: Bytes.Hex; readonly path: string; readonly storeDir: string }

/** The default model, fetched where it is not there yet. */
export async function model(): Promise<Model> {
  const storeDir = defaultStoreDir(inherited)
  const store = await Store.open({ dir: storeDir })
  const id = await pull(store, defaultModel)
  return { id, storeDir, path: Store.path(store, defaultModel.manifest.files[0].sha256) }
}
