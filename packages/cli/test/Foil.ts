import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Network } from '@counterfoil/protocol'
import { RunFile } from '@counterfoil/testnet'

export const main = join(import.meta.dirname, '../src/main.ts')
/** Dozens of children load the same sources. */
const cache = join(tmpdir(), 'counterfoil-test-compile-cache')

export type Result = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

type Options = {
  readonly env?: Record<string, string>
  readonly input?: string
  /** Gets the running child, to send it signals. */
  readonly onStart?: (child: ChildProcess) => void
}

/** Runs the real command as a child process, without a terminal; `env` and `input` as given, nothing else of ours. */
export function foil(
  home: string,
  args: readonly string[],
  { env = {}, input, onStart }: Options = {},
): Promise<Result> {
  const child = spawn(process.execPath, ['--conditions=source', main, ...args], {
    env: { PATH: process.env.PATH, COUNTERFOIL_HOME: home, NODE_COMPILE_CACHE: cache, ...env },
    stdio: 'pipe',
  })
  child.stdin.end(input ?? '')
  onStart?.(child)
  const result = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      result[name] += chunk
    })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...result }))
  })
}

/** A home of its own, gone afterwards. */
export function home(): Disposable & { readonly dir: string } {
  const dir = mkdtempSync(join(tmpdir(), 'foil-'))
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) }
}

/** Makes a home say that this process runs a network there, with that gateway. */
export function announce(
  dir: string,
  { url, network }: { readonly url: string; readonly network: Network.Network },
): void {
  mkdirSync(join(dir, 'keys'), { recursive: true })
  writeFileSync(join(dir, 'keys/local.api-key'), 'key\n')
  writeFileSync(join(dir, 'network.json'), JSON.stringify(network))
  const run: RunFile.Run = {
    pid: process.pid,
    startedAt: RunFile.startOf(process.pid) ?? '',
    ports: {},
    urls: { gateway: url, rpc: network.rpc },
  }
  writeFileSync(join(dir, 'run.json'), JSON.stringify(run))
}
