// `npm run invariants -- [calls] [seed]`: a million calls (or as many as asked) against the contracts, in random histories of
// 100, with every invariant of test/Money.t.sol checked after each. CI runs 2,048 of them with the other tests.
import { randomBytes } from 'node:crypto'
import { forge } from './forge.mjs'

const depth = 100
/** One run of forge: about a minute and a half on a quiet core, so that a failure is known soon. */
const pieceCalls = 250_000

const calls = Number(process.argv[2] ?? 1_000_000)
const seed = BigInt(process.argv[3] ?? `0x${randomBytes(6).toString('hex')}`)
if (!Number.isInteger(calls) || calls < depth)
  throw new RangeError(`calls must be an integer of at least ${depth}, got ${process.argv[2]}`)
process.stdout.write(`${calls} calls in histories of ${depth}, seed ${seed}\n`)

const startedAt = Date.now()
let done = 0
for (let piece = 0n; done < calls; piece++) {
  const runs = Math.ceil(Math.min(pieceCalls, calls - done) / depth)
  const args = ['test', '--match-test', 'invariant_', '--json', '-j', '1', '--fuzz-seed', `${seed + piece}`]
  const { status, stdout, stderr } = forge(args, {
    stdio: 'pipe',
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: {
      FOUNDRY_INVARIANT_RUNS: `${runs}`,
      FOUNDRY_INVARIANT_DEPTH: `${depth}`,
      FOUNDRY_INVARIANT_CHECK_INTERVAL: '1',
      // Values come from the Actor's own arithmetic; collecting those of the storage makes long runs four times slower.
      FOUNDRY_INVARIANT_DICTIONARY_WEIGHT: '0',
      FOUNDRY_INVARIANT_INCLUDE_STORAGE: 'false',
      FOUNDRY_INVARIANT_INCLUDE_PUSH_BYTES: 'false',
    },
  })
  const suites = stdout.startsWith('{') ? Object.values(JSON.parse(stdout)) : []
  const results = suites.flatMap((suite) => Object.entries(suite.test_results))
  const failed = results.filter(([, { status }]) => status !== 'Success')
  if (status !== 0 || failed.length > 0 || results.length === 0) {
    process.stderr.write(`seed ${seed + piece}: ${JSON.stringify(failed, null, 2)}\n${stderr}\n`)
    process.exit(1)
  }
  for (const [name, { kind }] of results) {
    const { runs: made, calls: called, reverts } = kind.Invariant
    done += called
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(0)
    process.stdout.write(
      `${name}: ${made} histories, ${called} calls, ${reverts} reverts; ${done} in all, ${seconds} s\n`,
    )
  }
}
