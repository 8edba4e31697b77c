import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { noContracts } from '@counterfoil/chain'
import type { Bytes, Network } from '@counterfoil/protocol'

/** Keys of anvil's public test mnemonic: worth nothing anywhere. */
export const privateKeys: readonly [Bytes.Hex, Bytes.Hex, Bytes.Hex] = [
  '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80',
  '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d',
  '0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a',
]

/** A fresh anvil on a free port, as a network without contracts. */
export async function start(): Promise<{
  network: Network.Network
  stop: () => Promise<void>
}> {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  const name = `@foundry-rs/anvil-${process.platform}-${arch}`
  const binary = join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin', 'anvil')
  const child = spawn(binary, ['--port', '0', '--hardfork', 'osaka', '--slots-in-an-epoch', '1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = await listening(child)
  return {
    network: {
      name: 'test',
      chainId: 31337,
      rpc: `http://127.0.0.1:${port}`,
      epochSeconds: 5,
      contracts: noContracts,
    },
    async stop() {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}

async function listening(child: ChildProcess): Promise<number> {
  let output = ''
  for await (const chunk of child.stdout ?? []) {
    output += String(chunk)
    const found = /Listening on 127\.0\.0\.1:(\d+)/.exec(output)
    if (found) {
      child.stdout?.resume()
      return Number(found[1])
    }
  }
  throw new Error(`anvil ended before it listened: ${output}`)
}
