import { expect, test } from 'vitest'
import type { Claim, Facts } from '../../src/money/Facts.ts'
import * as Money from '../../src/money/Money.ts'

// Books that agree, and one planted fault a test: each must be found, and nothing else.

const line = { channel: 'ch', model: 'm' }
const claim = (n: number, changes: Partial<Claim> = {}): Claim => ({
  ...{ claimId: `c${n}`, keyId: 'k', sequence: BigInt(n), epoch: 1n, request: `r${n}` },
  ...{ ...line, amount: 10n, state: 'paid', ...changes },
})
const receipt = (n: number) => ({
  ...{ request: `r${n}`, keyId: 'key', claimId: `c${n}`, provider: 'p', ...line },
  ...{ amount: 10n, acknowledged: true, content: `text ${n}`, spent: { keyId: 'key', amount: 10n } },
})

/** Two paid claims, one refused, one failed request; redeemed, posted, and told to three clients. */
function settled(): Facts {
  return {
    chain: {
      held: 80n,
      channels: [
        {
          id: 'ch',
          payer: 'us',
          deposit: 100n,
          redeemed: 20n,
          closed: false,
          lines: [{ model: 'm', redeemed: 20n }],
        },
        {
          id: 'old',
          payer: 'us',
          deposit: 5n,
          redeemed: 5n,
          closed: true,
          lines: [{ model: 'm', redeemed: 5n }],
        },
      ],
      batches: [{ keyId: 'k', epoch: 1n, first: 0n, end: 3n, root: 'root' }],
    },
    providers: [
      {
        name: 'provider',
        address: 'p',
        epoch: 2n,
        claims: [claim(0), claim(1), claim(2, { state: 'refused' })],
        lines: [{ ...line, cumulative: 20n, epoch: 1n }],
        batches: [{ keyId: 'k', epoch: 1n, first: 0n, end: 3n, root: 'root' }],
      },
    ],
    gateway: {
      keys: [{ id: 'key', balance: 980n, reserved: 0n, granted: 1000n }],
      requests: [
        { request: 'r0', keyId: 'key', state: 'accepted', reserved: 30n },
        { request: 'r1', keyId: 'key', state: 'accepted', reserved: 30n },
        { request: 'r2', keyId: 'key', state: 'failed', reserved: 30n },
      ],
      receipts: [receipt(0), receipt(1)],
      lines: [{ ...line, cumulative: 20n, epoch: 1n }],
      leases: [{ id: '1', keyId: 'key', amount: 50n, spent: 20n, held: 30n }],
      strays: [],
      refused: [{ claimId: 'c2', request: 'r2', reason: 'late' }],
    },
    answers: [
      { request: 'r0', outcome: 'answered', claimId: 'c0', content: 'text 0' },
      { request: 'r1', outcome: 'broken' },
      { request: 'r2', outcome: 'refused' },
    ],
  }
}

type Mutable<T> = T extends bigint | string | undefined ? T : { -readonly [K in keyof T]: Mutable<T[K]> }
type Plant = (facts: Mutable<Facts>) => void
// biome-ignore lint/style/noNonNullAssertion: the books above have these entries.
const at = <T>(list: readonly T[], index = 0): T => list[index]!

function findings(plant: Plant) {
  const facts = settled() as Mutable<Facts>
  plant(facts)
  return Money.reconcile(facts as Facts)
}

test('books that agree: nothing but the claim that both sides refuse', () => {
  expect(findings(() => {})).toEqual([
    { kind: 'refused', rule: 'claim', message: 'claim c2 of provider, 10 micro-units: late' },
  ])
})

const differences: readonly [string, string, RegExp, Plant][] = [
  [
    'a coin that the contract lost',
    'contract',
    /holds 79/,
    (f) => {
      f.chain.held = 79n
    },
  ],
  [
    'a line that was redeemed beside its channel',
    'contract',
    /its lines 21/,
    (f) => {
      at(at(f.chain.channels, 1).lines).redeemed = 21n
    },
  ],
  [
    'a channel overdrawn',
    'contract',
    /of a deposit of 5/,
    (f) => {
      at(f.chain.channels, 1).redeemed = 6n
      at(at(f.chain.channels, 1).lines).redeemed = 6n
    },
  ],
  [
    'one number on two claims of one key',
    'sequence',
    /number 1 of key k/,
    (f) =>
      void f.providers.push({
        ...at(f.providers),
        name: 'other',
        claims: [{ ...claim(9), sequence: 1n, state: 'refused' }],
        lines: [],
        batches: [],
      }),
  ],
  [
    'an epoch that falls',
    'sequence',
    /of epoch 0, the one before of 1/,
    (f) => {
      at(at(f.providers).claims, 2).epoch = 0n
    },
  ],
  [
    'a voucher above its claims',
    'voucher',
    /is for 21/,
    (f) => {
      at(at(f.providers).lines).cumulative = 21n
      at(f.gateway.lines).cumulative = 21n
    },
  ],
  [
    'an accepted voucher that was lost',
    'voucher',
    /is for 0, its paid claims come to 20/,
    (f) => {
      at(f.providers).lines = []
      at(f.chain.channels).redeemed = 0n
      at(at(f.chain.channels).lines).redeemed = 0n
      f.chain.held = 100n
      f.gateway.lines = []
    },
  ],
  [
    'a voucher that its signer forgot',
    'voucher',
    /the gateway knows 0/,
    (f) => {
      f.gateway.lines = []
    },
  ],
  [
    'a line redeemed beyond its voucher',
    'voucher',
    /redeemed to 30/,
    (f) => {
      f.chain.held = 70n
      at(f.chain.channels).redeemed = 30n
      at(at(f.chain.channels).lines).redeemed = 30n
    },
  ],
  [
    'another root on chain',
    'batch',
    /other on chain/,
    (f) => {
      at(f.chain.batches).root = 'other'
    },
  ],
  [
    'a claim outside its batch',
    'batch',
    /lies outside/,
    (f) => {
      at(f.chain.batches).end = 2n
      at(at(f.providers).batches).end = 2n
    },
  ],
  [
    'a hold that nobody needs',
    'balance',
    /5 reserved/,
    (f) => {
      at(f.gateway.keys).reserved = 5n
    },
  ],
  [
    'a balance charged twice',
    'balance',
    /receipts come to 20, not 30/,
    (f) => {
      at(f.gateway.keys).balance = 970n
    },
  ],
  [
    'a journal that spent another amount',
    'spending',
    /receipt for 10; 9 was spent/,
    (f) => {
      at(f.gateway.receipts).spent = { keyId: 'key', amount: 9n }
    },
  ],
  [
    'a receipt paid by another key',
    'spending',
    /from a lease of key other/,
    (f) => {
      at(f.gateway.receipts).spent = { keyId: 'other', amount: 10n }
    },
  ],
  [
    'money spent on nothing',
    'spending',
    /key key has spent 10 on request r2, which has no receipt/,
    (f) => void f.gateway.strays.push({ request: 'r2', keyId: 'key', amount: 10n }),
  ],
  [
    'a lease overdrawn',
    'spending',
    /lease 1 of key key holds 50; 21 was spent from it and 30 runs/,
    (f) => {
      at(f.gateway.leases).spent = 21n
    },
  ],
  [
    'a request accepted without a receipt',
    'balance',
    /r2 is accepted and has no receipt/,
    (f) => {
      at(f.gateway.requests, 2).state = 'accepted'
    },
  ],
  [
    'a receipt of a request that failed',
    'balance',
    /r1 is failed and has a receipt/,
    (f) => {
      at(f.gateway.requests, 1).state = 'failed'
    },
  ],
  [
    'a sent claim that was forgotten',
    'claim',
    /no provider has that claim/,
    (f) => {
      f.providers = [
        {
          ...at(f.providers),
          claims: at(f.providers).claims.slice(1),
          lines: [{ ...line, cumulative: 10n, epoch: 1n }],
        },
      ]
      at(f.gateway.lines).cumulative = 20n
      at(f.chain.channels).redeemed = 10n
      at(at(f.chain.channels).lines).redeemed = 10n
      f.chain.held = 90n
    },
  ],
  [
    'two amounts for one claim',
    'claim',
    /is 10 at provider, 11 at the gateway/,
    (f) => {
      at(f.gateway.receipts).amount = 11n
      at(f.gateway.receipts).spent = { keyId: 'key', amount: 11n }
      at(f.gateway.keys).balance = 979n
    },
  ],
  [
    'a claim paid without a receipt',
    'claim',
    /was paid for claim c2/,
    (f) => {
      at(at(f.providers).claims, 2).state = 'paid'
      at(at(f.providers).lines).cumulative = 30n
      at(f.gateway.lines).cumulative = 30n
    },
  ],
  [
    'an answer without a receipt',
    'answer',
    /answered with claim c9/,
    (f) => void f.answers.push({ request: 'r9', outcome: 'answered', claimId: 'c9', content: '' }),
  ],
  [
    'an answer with another claim',
    'answer',
    /keeps c0/,
    (f) => void f.answers.push({ request: 'r0', outcome: 'answered', claimId: 'c9', content: 'text 0' }),
  ],
  [
    'another text than was given',
    'answer',
    /is not the one/,
    (f) => {
      at(f.gateway.receipts).content = 'else'
    },
  ],
  [
    'a charge for what was refused',
    'answer',
    /r1 was refused, and 10 charged/,
    (f) => {
      f.answers = [{ request: 'r1', outcome: 'refused' }]
    },
  ],
]

test.each(differences)('found: %s', (_, rule, message, plant) => {
  const found = findings(plant).filter(({ kind }) => kind === 'difference')
  expect(found).toHaveLength(1)
  expect(found[0]?.rule).toBe(rule)
  expect(found[0]?.message).toMatch(message)
})

/** Another gateway's channel with a paid claim and a voucher that this gateway never saw. */
const anothers = (f: Mutable<Facts>, paid = 7n) => {
  f.chain.held += 50n
  f.chain.channels.push({
    ...{ id: 'theirs', payer: 'them', deposit: 50n, redeemed: 0n, closed: false },
    lines: [{ model: 'm', redeemed: 0n }],
  })
  at(f.chain.batches).end = 4n
  at(at(f.providers).batches).end = 4n
  at(f.providers).claims.push(claim(3, { channel: 'theirs', amount: paid }))
  at(f.providers).lines.push({ channel: 'theirs', model: 'm', cumulative: 7n, epoch: 1n })
}

test('claims of another gateway are not held against this one, only against themselves', () => {
  const told = findings((f) => anothers(f)).map(({ kind, message }) => [kind, message])
  expect(told).toEqual([
    ['open', 'provider has still to redeem 7 on line theirs/m'],
    ['refused', 'claim c2 of provider, 10 micro-units: late'],
  ])
  const wrong = findings((f) => anothers(f, 6n)).filter(({ kind }) => kind === 'difference')
  expect(wrong.map(({ message }) => message)).toEqual([
    'provider: the voucher of line theirs/m is for 7, its paid claims come to 6',
  ])
})

/** An answer that this gateway bought of a provider in another home. */
const bought = (f: Mutable<Facts>) => {
  f.gateway.receipts.push({ ...receipt(9), provider: 'elsewhere', channel: 'far', request: 'r9' })
  f.gateway.requests.push({ request: 'r9', keyId: 'key', state: 'accepted', reserved: 30n })
  at(f.gateway.keys).balance -= 10n
}

test('what was bought of a provider in another home is held against the key alone; of nobody knows whom, against all', () => {
  expect(findings(bought)).toEqual(findings(() => {}))
  const told = findings((f) => {
    bought(f)
    delete at(f.providers).address
  })
  expect(told.filter(({ kind }) => kind === 'difference').map(({ message }) => message)).toEqual([
    'the gateway has a receipt of claim c9; no provider has that claim',
  ])
})

const open: readonly [string, RegExp, Plant][] = [
  [
    'a request that runs',
    /r2 is running/,
    (f) => {
      at(f.gateway.requests, 2).state = 'running'
      at(f.gateway.keys).reserved = 30n
    },
  ],
  [
    'a voucher on its way',
    /has not taken the voucher for 30/,
    (f) => {
      at(f.gateway.lines).cumulative = 30n
    },
  ],
  [
    'money to be redeemed',
    /still to redeem 20/,
    (f) => {
      at(f.chain.channels).redeemed = 0n
      at(at(f.chain.channels).lines).redeemed = 0n
      f.chain.held = 100n
    },
  ],
  [
    'an epoch to be sealed',
    /has not sealed batch k\/1/,
    (f) => {
      at(f.providers).batches = []
    },
  ],
  [
    'a batch to be posted',
    /has not posted batch k\/1/,
    (f) => {
      f.chain.batches = []
    },
  ],
  [
    'a refusal to be told',
    /is refused, which provider has not heard/,
    (f) => {
      at(at(f.providers).claims, 2).state = 'unpaid'
    },
  ],
  [
    'a claim that nobody has asked for yet',
    /is not known to the gateway/,
    (f) => {
      f.gateway.refused = []
    },
  ],
  [
    'a payment to be heard of',
    /which the gateway has not heard/,
    (f) => {
      at(f.gateway.receipts).acknowledged = false
    },
  ],
]

test.each(open)('under way, and no difference: %s', (_, message, plant) => {
  const found = findings(plant)
  expect(found.filter(({ kind }) => kind === 'difference')).toEqual([])
  expect(found.filter(({ kind }) => kind === 'open').map((one) => one.message)).toEqual([
    expect.stringMatching(message),
  ])
})

test('an answer whose transcript was dropped is held against its claim only', () => {
  expect(
    findings((facts) => {
      delete at(facts.gateway.receipts).content
    }).filter(({ kind }) => kind === 'difference'),
  ).toEqual([])
})

test('a refusal that was made good by a retry is no difference', () => {
  const found = findings((facts) => void facts.answers.push({ request: 'r0', outcome: 'refused' }))
  expect(found.filter(({ kind }) => kind === 'difference')).toEqual([])
})
