// One round of a provider's life over fakes, on a real store: a job, a voucher for all that is unpaid, an epoch posted and
// redeemed. Dies by SIGKILL after the n-th write, within a transaction and behind it, and tells what its client was told.
import { readFileSync, writeSync } from 'node:fs'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { type Bytes, Claim, ProviderHttp } from '@counterfoil/protocol'
import { SigningKey } from '../src/index.ts'
import { Fixture, modelId } from './Fixture.ts'

const [dir = '', pem = '', round = '0', killAt = '0'] = process.argv.slice(2)
let points = 0
function point(): void {
  points += 1
  if (points === Number(killAt)) process.kill(process.pid, 'SIGKILL')
}
const tell = (line: string) => writeSync(1, `${line}\n`)

const { run } = StatementSync.prototype
StatementSync.prototype.run = function (this: StatementSync, ...values: Parameters<typeof run>) {
  const result = run.apply(this, values)
  point()
  return result
} as typeof run
const { exec } = DatabaseSync.prototype
DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
  exec.call(this, sql)
  if (sql === 'COMMIT') point()
}

const payerKey = new Uint8Array(32).fill(9)
const channel: Bytes.Hex = `0x${'c1'.repeat(32)}`
const fixture = new Fixture(dir)
fixture.key = SigningKey.fromPem(readFileSync(pem, 'utf8'))
fixture.clock.advance(Number(round) * 100_000)
const payer = fixture.openChannel(1_000_000n, {}, { key: payerKey, channel })
await fixture.start()

const post = await fixture.jobPost({}, payer)
const { end } = await fixture.ask(post, payer)
if (!end) throw new Error('the answer has no claim')
const { claim } = end.receipt
tell(`claim ${Claim.id(claim)} ${claim.keyId} ${claim.sequence} ${claim.epoch}`)

const headers = { authorization: `Bearer ${await fixture.token(payer)}` }
const listed = await fixture.call(ProviderHttp.paths.unpaid(channel), { headers })
const unpaid = ProviderHttp.readUnpaid(await listed.json(), '$').claims.map((one) => one.receipt.claim)
const { paid } = await fixture.state(payer)
const cumulative = paid + unpaid.reduce((sum, one) => sum + one.amount, 0n)
let epoch = 0n
for (const one of unpaid) if (one.epoch > epoch) epoch = one.epoch
const voucher = fixture.sign({ model: modelId, cumulative, epoch }, payer)
const answer = await fixture.pay({ voucher, accepts: unpaid.map(Claim.id), refuses: [] }, payer)
if (answer.status !== 200) throw new Error(await answer.text())
tell(`voucher ${cumulative}`)

fixture.clock.advance(5_000)
await fixture.service.settle()
for (const { first, end: last } of fixture.chain.posts) tell(`posted ${first} ${last}`)
tell(`points ${points}`)
process.exit(0)
