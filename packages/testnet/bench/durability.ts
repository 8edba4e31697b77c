import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Bytes, type Eip712, Voucher } from '@counterfoil/protocol'
import * as Claims from '../../provider/src/store/Claims.ts'
import * as Sequence from '../../provider/src/store/Sequence.ts'
import * as Store from '../../provider/src/store/Store.ts'
import * as VoucherSignature from '../../provider/src/VoucherSignature.ts'
import * as Daemon from '../src/Daemon.ts'
import * as Bed from './Bed.ts'
import * as FakeClaims from './FakeClaims.ts'
import * as Params from './Params.ts'
import * as Quartiles from './Quartiles.ts'
import * as Rounds from './Rounds.ts'
import * as Row from './Row.ts'

const section = 'Durability'

/**
 * Vouchers checked a second of processor time, how long a claim waits for the disk, and how long a killed provider with many
 * claims takes to serve again.
 */
export async function run(mode: Params.Mode): Promise<readonly Row.Row[]> {
  return [...(await vouchers(mode)), ...(await commits(mode)), ...(await recovery(mode))]
}

async function vouchers(mode: Params.Mode): Promise<readonly Row.Row[]> {
  const domain: Eip712.Domain = { chainId: 31_337, channels: `0x${'03'.repeat(20)}` }
  const key = new Uint8Array(32).fill(7)
  const digest = (byte: string): Bytes.Hex => `0x${byte.repeat(32)}`
  const signed = Array.from({ length: 64 }, (_, i) =>
    Voucher.sign(
      { channel: digest('c0'), model: digest('3d'), cumulative: BigInt(i), epoch: 1n },
      domain,
      key,
    ),
  )
  const expected = Voucher.signer(signed[0] ?? fail('no voucher'), domain)
  const arm = (signer: typeof Voucher.signer) => async () => {
    const start = process.cpuUsage()
    let count = 0
    let seconds = 0
    while (seconds < mode.verify.cpuSeconds) {
      for (const voucher of signed) if (signer(voucher, domain) !== expected) fail('the signer is another')
      count += signed.length
      const { user, system } = process.cpuUsage(start)
      seconds = (user + system) / 1e6
    }
    return { rate: count / seconds }
  }
  const samples = await Rounds.interleave(
    { 'as the provider does': arm(VoucherSignature.signer), 'by noble': arm(Voucher.signer) },
    { warmup: mode.warmup, rounds: mode.verify.rounds },
  )
  return Row.compare(
    (what) => ({ section, what, metric: 'vouchers checked', unit: '1/s a core' }),
    Rounds.metric(samples, 'rate'),
    'as the provider does',
  )
}

/** A provider's store under 16 writers, each with its next claim as soon as its last is on the disk. */
async function commits(mode: Params.Mode): Promise<readonly Row.Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'counterfoil-commits-'))
  const store = Store.open(dir)
  try {
    const { salts, next } = FakeClaims.create(Sequence.open(store, `0x${'4e'.repeat(32)}`), 1n)
    async function round() {
      const ms: number[] = []
      const start = performance.now()
      const deadline = start + mode.gateway.seconds * 1000
      async function write(): Promise<void> {
        while (performance.now() < deadline) {
          const begun = performance.now()
          await Claims.insertSoon(store, next(), salts)
          ms.push(performance.now() - begun)
        }
      }
      await Promise.all(Array.from({ length: Params.connections }, write))
      const rate = (ms.length * 1000) / (performance.now() - start)
      return { rate, p50: Quartiles.percentile(ms, 0.5), p99: Quartiles.percentile(ms, 0.99) }
    }
    const { store: samples } = await Rounds.interleave(
      { store: round },
      { warmup: mode.warmup, rounds: mode.gateway.rounds },
    )
    const what = "a provider's store, 16 writers, answers of 50 tokens"
    return [
      Row.of({ section, what, metric: 'claims on the disk', unit: '1/s' }, samples.rate),
      Row.of({ section, what, metric: 'commit, median', unit: 'ms' }, samples.p50),
      Row.of({ section, what, metric: 'commit, 99th percentile', unit: 'ms' }, samples.p99),
    ]
  } finally {
    Store.close(store)
    rmSync(dir, { recursive: true })
  }
}

async function recovery(mode: Params.Mode): Promise<readonly Row.Row[]> {
  const model = await Bed.model()
  const { claims, kills } = mode.recovery
  return Bed.lend(model.id, async (bed, stack) => {
    const dir = join(bed.dir, 'provider')
    await fill(dir, bed.provider.key.path, claims)
    const daemon = await Daemon.create({
      room: 'provider',
      name: 'provider',
      log: bed.log('provider'),
      env: {
        COUNTERFOIL_NETWORK: bed.networkFile,
        PROVIDER_PORT: String(bed.provider.port),
        PROVIDER_KEY_FILE: join(bed.keys, 'provider.key'),
        PROVIDER_RECEIPT_KEY_FILE: bed.provider.key.path,
        PROVIDER_DATA: dir,
        PROVIDER_STORE: model.storeDir,
        PROVIDER_MODEL: model.id,
        PROVIDER_THREADS: String(Params.threads),
        PROVIDER_CONTEXT: String(Params.contextLength),
      },
    })
    stack.defer(() => daemon.stop())
    const seconds: number[] = []
    for (let i = 0; i < kills; i++) {
      const pid = daemon.pid()
      process.kill(pid, 'SIGKILL')
      const start = performance.now()
      while (!(await answers(`${daemon.url}/v1/offers`)))
        await new Promise((resolve) => setTimeout(resolve, 5))
      seconds.push((performance.now() - start) / 1000)
      // It answers a moment before its keeper knows that it is ready.
      while (daemon.pid() === pid) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    const what = `provider with ${claims.toLocaleString('en')} claims, killed`
    return [Row.of({ section, what, metric: 'serves again after', unit: 's' }, seconds)]
  })
}

/** A store with so many claims of a closed epoch, whose writer was killed while it wrote. */
async function fill(dir: string, pem: string, count: number): Promise<void> {
  const entry = fileURLToPath(new URL('claimsChild.ts', import.meta.url))
  const epoch = Math.floor(Date.now() / 1000 / 5) - 1000
  const child = fork(entry, [dir, pem, String(count), String(epoch)], { execArgv: ['--conditions=source'] })
  const exited = once(child, 'exit')
  await Promise.race([once(child, 'message'), exited.then(([code]) => fail(`the writer ended with ${code}`))])
  child.kill('SIGKILL')
  await exited
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}

function fail(message: string): never {
  throw new Error(message)
}
