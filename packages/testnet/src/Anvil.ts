import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import * as Keeper from './Keeper.ts'
import { type Leashed, spawnLeashed } from './Leash.ts'
import * as Params from './Params.ts'
import * as Ports from './Ports.ts'
import * as State from './State.ts'

/** A development chain whose sealed blocks survive any kill. */
export type Anvil = {
  readonly url: string
  readonly port: number
  readonly chainId: number
  pid(): number
  /** Mines what is pending and returns when it is on the disk. */
  seal(): Promise<void>
  /** Gives an address coins for gas, and seals. */
  fund(address: `0x${string}`, wei: bigint): Promise<void>
  /** Resolves when the chain was given up. */
  readonly failed: Promise<Error>
  /** Seals a last time and ends the chain. */
  stop(): Promise<void>
}

export type Options = {
  /** Holds the state; made when missing. */
  readonly dir: string
  readonly log: string
  readonly port?: number
  readonly chainId?: number
  readonly sealIntervalMs?: number
  readonly blocksInMemoryMax?: number
}

type Block = { readonly number: `0x${string}`; readonly transactions: readonly string[] }

/**
 * Starts the chain, or goes on with the one in `dir`. Blocks come each second and as soon as transactions wait;
 * a block with transactions is on the disk before the next one is mined, so what is `finalized` (two blocks
 * below the head) is never lost. A chain that fell comes back at its height: its numbers never go backwards.
 *
 * @example
 * const chain = await Anvil.create({ dir: 'home/chain', log: 'home/logs/chain.log' })
 * console.log(chain.url) // http://127.0.0.1:41234
 * await chain.stop()
 */
export async function create(options: Options): Promise<Anvil> {
  const { dir, log, chainId = 31_337, sealIntervalMs = Params.sealIntervalMs } = options
  const blocksMax = options.blocksInMemoryMax ?? Params.blocksInMemoryMax
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const port = options.port === undefined ? await Ports.free() : await Ports.demand(options.port, 'the chain')
  const url = `http://127.0.0.1:${port}`
  const file = join(dir, 'state.json')
  const command = binary()

  let subscription: WebSocket | undefined
  let wake: () => void = () => {}
  let pending = false
  let serving = false
  let height = 0
  let minedAt = 0
  let unsealed = false
  let blocksInMemory = 0

  async function start(): Promise<Leashed> {
    const load = existsSync(file) ? ['--load-state', file] : []
    const args = [
      ...[
        '--host',
        '127.0.0.1',
        '--port',
        String(port),
        '--chain-id',
        String(chainId),
        '--no-cors',
        '--quiet',
      ],
      ...['--no-mining', '--slots-in-an-epoch', '1', '--hardfork', 'osaka', '--accounts', '0'],
      ...['--prune-history', String(Params.statesMax), ...load],
    ]
    const child = await spawnLeashed(command, args, { log })
    await Keeper.untilReady('anvil', child, log, () => answers(url))
    const seen = Math.max(height, State.readHeight(dir))
    const loaded = Number(await rpc<string>(url, 'eth_blockNumber'))
    // Only empty blocks are missing, or ones whose transactions their senders saw in no finalized block.
    if (seen > loaded) await rpc(url, 'anvil_mine', [`0x${(seen - loaded).toString(16)}`, '0x0'])
    blocksInMemory = 0
    height = seen
    subscription = subscribe(url, () => {
      pending = true
      wake()
    })
    serving = true
    return child
  }

  async function mine(): Promise<void> {
    if (!serving) throw new AwayError(url)
    pending = false
    minedAt = performance.now()
    await rpc(url, 'evm_mine')
    const block = await rpc<Block>(url, 'eth_getBlockByNumber', ['latest', false])
    height = Number(block.number)
    blocksInMemory++
    State.writeHeight(dir, height)
    if (block.transactions.length > 0) unsealed = true
    if (unsealed) await save()
  }

  async function save(): Promise<void> {
    const hex = await rpc<string>(url, 'anvil_dumpState')
    State.write(file, State.decode(hex, Params.emptyBlocksKept))
    unsealed = false
  }

  // One seal at a time: a dump must not hold half of what a second one mines.
  let sealing: Promise<void> = Promise.resolve()
  function exclusively(work: () => Promise<void>): Promise<void> {
    const done = sealing.then(work)
    sealing = done.catch(() => {})
    return done
  }

  const kept = await Keeper.keep({
    name: 'anvil',
    log,
    start,
    // Until its height is restored nothing may be mined, or the height would be forgotten.
    onFall: () => {
      serving = false
      subscription?.close()
    },
  })
  try {
    await mine()
  } catch (error) {
    await kept.stop()
    throw error
  }
  const stopped = new AbortController()
  const looping = loop()

  async function loop(): Promise<void> {
    while (!stopped.signal.aborted) {
      if (!pending) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve
        })
        await Promise.race([elapse(minedAt + sealIntervalMs - performance.now(), stopped.signal), woken])
      }
      await elapse(minedAt + Params.sealGapMs - performance.now(), stopped.signal)
      if (stopped.signal.aborted) return
      // A chain that is away has nothing to seal; its keeper brings it back, and `failed` tells if it cannot.
      await exclusively(mine).catch(() => {
        minedAt = performance.now()
      })
      if (blocksInMemory > blocksMax) await exclusively(renew).catch(() => {})
    }
  }

  async function renew(): Promise<void> {
    blocksInMemory = 0
    await save()
    await kept.current().stop('SIGKILL', 0)
  }

  return {
    url,
    port,
    chainId,
    pid: () => kept.current().pid,
    seal: () => exclusively(mine),
    fund: (address, wei) =>
      exclusively(async () => {
        await rpc(url, 'anvil_setBalance', [address, `0x${wei.toString(16)}`])
        unsealed = true
        await mine()
      }),
    failed: kept.failed,
    async stop() {
      stopped.abort()
      await looping
      await exclusively(async () => {
        unsealed = true
        await mine()
      }).catch(() => {})
      subscription?.close()
      await kept.stop()
    },
  }
}

/** One JSON-RPC call. */
async function rpc<result>(url: string, method: string, params: readonly unknown[] = []): Promise<result> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(Params.rpcTimeoutMs),
  })
  const answer = (await response.json()) as { result: result; error?: { message: string } }
  if (answer.error !== undefined) throw new RpcError(method, answer.error.message)
  return answer.result
}

async function answers(url: string): Promise<boolean> {
  try {
    await rpc(url, 'eth_chainId')
    return true
  } catch {
    return false
  }
}

// Asking for pending transactions many times a second would cost more than mining; anvil tells us instead.
function subscribe(url: string, onPending: () => void): WebSocket {
  const socket = new WebSocket(url.replace('http', 'ws'))
  socket.addEventListener('open', () => {
    socket.send('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newPendingTransactions"]}')
  })
  socket.addEventListener('message', ({ data }) => {
    if (String(data).includes('eth_subscription')) onPending()
  })
  socket.addEventListener('error', () => {})
  return socket
}

function elapse(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (ms <= 0 || signal.aborted) return resolve()
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}

function binary(): string {
  const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`
  const require = createRequire(createRequire(import.meta.url).resolve('@foundry-rs/anvil/package.json'))
  try {
    return require.resolve(`@foundry-rs/anvil-${platform}/bin/anvil`)
  } catch (cause) {
    throw new MissingError(platform, cause)
  }
}

/** The chain refused a call. */
export class RpcError extends Error {
  override readonly name = 'Anvil.RpcError'
  constructor(method: string, message: string) {
    super(`the chain refused ${method}: ${message}`)
  }
}

/** The chain fell and is being started again. */
export class AwayError extends Error {
  override readonly name = 'Anvil.AwayError'
  constructor(url: string) {
    super(`the chain at ${url} is being started again: ask again when it answers`)
  }
}

/** npm did not bring anvil for this platform. */
export class MissingError extends Error {
  override readonly name = 'Anvil.MissingError'
  constructor(platform: string, cause: unknown) {
    super(
      `@foundry-rs/anvil-${platform} is not installed: run "npm ci" without --omit=optional, or use linux or macOS on x64 or arm64`,
      { cause },
    )
  }
}
