import { randomBytes } from 'node:crypto'
import { Bytes, type Claim, type Offer, type Transcript } from '@counterfoil/protocol'
import * as ApiKeys from '../../src/ApiKeys.ts'
import * as Database from '../../src/Database.ts'
import type * as Ledger from '../../src/ledger/Ledger.ts'
import type * as Databases from '../Database.ts'

/** One real database with one key, and what a test needs to move money in it and to count it. */
export type Books = {
  readonly url: string
  readonly database: Database.Database
  readonly keyId: string
  query(text: string): Promise<Record<string, unknown>[]>
  /** The key as its owner sees it. */
  balance(): Promise<{ readonly balance: bigint; readonly reserved: bigint }>
  /** Throws where the tables contradict each other or money has appeared or vanished; `deposited` is all that was ever paid in. */
  audit(deposited: bigint): Promise<void>
  close(): Promise<void>
}

export async function create(databases: Databases.Databases, deposit: bigint): Promise<Books> {
  const url = await databases.fresh()
  const database = await Database.open(url)
  const { id: keyId } = await ApiKeys.create(database, { name: 'test', balance: deposit })
  const query = (text: string) => databases.query(url, text)
  const books: Books = {
    ...{ url, database, keyId, query },
    async balance() {
      const [found] = await ApiKeys.list(database)
      if (!found) throw new Error('the key is gone')
      return { balance: found.balance, reserved: found.reserved }
    },
    audit: (deposited) => audit(books, deposited),
    close: () => database.destroy(),
  }
  return books
}

export async function audit(
  { query, balance }: Pick<Books, 'query' | 'balance'>,
  deposited: bigint,
): Promise<void> {
  const one = async (text: string) => BigInt(String((await query(text))[0]?.sum ?? 0))
  const same = (what: string, left: bigint, right: bigint) => {
    if (left !== right) throw new Error(`${what}: ${left} is not ${right}`)
  }
  const paid = await one('select sum(amount) from receipts')
  const running = await one(`select sum(reserved) from requests where state = 'running'`)
  const seen = await balance()
  same('what is left and what was paid are what was deposited', seen.balance + paid, deposited)
  same('what is reserved is what running requests hold', seen.reserved, running)
  if (running > seen.balance) throw new Error(`${running} is held of a balance of ${seen.balance}`)
  const rowHeld = await one(`select sum(reserved) from requests left join leases on leases.id = requests.lease
    where state = 'running' and open is not true`)
  const leased = await one('select sum(amount) from leases where open')
  same(
    'the row reserves leases and what it holds itself',
    await one('select reserved as sum from api_keys'),
    rowHeld + leased,
  )
  const over = await query(`select id, amount from leases where open and amount <
    coalesce((select sum(amount) from spends where lease = leases.id), 0)
    + coalesce((select sum(reserved) from requests where lease = leases.id and state = 'running'), 0)`)
  if (over.length > 0) throw new Error(`more was spent than leased: ${JSON.stringify(over)}`)
  const twice = await one(
    `select count(*) as sum from receipts join requests using (request) where state != 'accepted'`,
  )
  same('receipts of requests that were not accepted', twice, 0n)
}

export function entry(keyId: string, change: Partial<Ledger.Entry> = {}): Ledger.Entry {
  return {
    ...{ request: digest(), keyId, idempotencyKey: undefined, nonce: digest(), nonceFrom: 'caller' },
    ...{ job: '{}', label: 'test-model' },
    ...change,
  }
}

export function attempt(reserved: bigint, owner = 1n): Ledger.Attempt {
  return { provider: '0xa0', channel: '0xc0', offer: '{}', epoch: 1n, owner, reserved }
}

/** As much of a transcript as the books look at; whether claims check is not their business. */
export function transcript(request: string, amount: bigint, answer = request): Transcript.Transcript {
  return {
    receipt: { claim: claim(request, amount, answer), signature, evidence: [] },
    offer,
  } as unknown as Transcript.Transcript
}

/** A claim that was refused, as the books keep it. */
export function refused(request: string, amount: bigint): Ledger.RefusedClaim {
  const end = { receipt: { claim: claim(request, amount, digest()), signature, evidence: [] } }
  const at = {
    channel: '0xc0',
    model: Bytes.zero32,
    provider: '0xa0',
    reason: 'charge-mismatch: it asks too much',
  }
  return { end: end as unknown as Ledger.RefusedClaim['end'], ...at }
}

const zero = Bytes.zero32
const provider: Bytes.Hex = `0x${'a0'.repeat(20)}`
const signature: Bytes.Hex = `0x${'11'.repeat(64)}`
const offer: Offer.SignedOffer = {
  offer: {
    ...{ domain: zero, provider, keyId: zero, model: zero, runtime: zero },
    ...{ prices: { prompt: 1n, cached: 1n, output: 1n }, limits: { contextTokens: 1, outputTokens: 1 } },
    ...{ validity: { notBefore: 0, notAfter: 1 }, flags: { trace: true } },
  },
  signature,
}

function claim(request: string, amount: bigint, answer: string): Claim.Claim {
  return {
    ...{
      domain: zero,
      provider,
      keyId: zero,
      sequence: 0n,
      epoch: 1n,
      model: zero,
      runtime: zero,
      offer: zero,
    },
    ...{ request: hex(request), answer: hex(answer), trace: zero, finish: 'stop', channel: zero, amount },
    usage: { promptTokens: 1, cachedTokens: 0, outputTokens: 1 },
    ...{ time: { started: 1, firstToken: 1, ended: 1 }, parents: zero, evidence: zero },
  }
}

function hex(text: string): Bytes.Hex {
  if (!Bytes.isHex(text)) throw new Bytes.HexError(text)
  return text
}

export function digest(): Bytes.Hex {
  return `0x${randomBytes(32).toString('hex')}`
}
