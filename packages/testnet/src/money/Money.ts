import type { ChainFacts, Claim, Facts, Finding, GatewayFacts, Hex } from './Facts.ts'

/**
 * Holds contract balances, channels, vouchers, claims, journals and what clients were told against each other, to the unit.
 * Facts must be gathered from the provider before the gateway, and from the gateway before the chain: money moves that way.
 * @example reconcile(await MoneyFacts.gather({ home })).filter(({ kind }) => kind === 'difference')
 */
export function reconcile(facts: Facts): readonly Finding[] {
  const found: Finding[] = []
  const say = (kind: Finding['kind'], rule: string) => (message: string) =>
    found.push({ kind, rule, message })
  contract(facts.chain, say('difference', 'contract'))
  numbers(facts, say('difference', 'sequence'))
  vouchers(facts, say('difference', 'voucher'), say('open', 'voucher'))
  batches(facts, say('difference', 'batch'), say('open', 'batch'))
  balances(facts.gateway, say('difference', 'balance'), say('open', 'request'))
  spending(facts.gateway, say('difference', 'spending'))
  claims(facts, say)
  answers(facts, say('difference', 'answer'))
  return found
}

type Say = (message: string) => void

/** The contract holds exactly what open channels have not paid out, and pays out exactly what their lines say. */
function contract({ held, channels }: ChainFacts, differs: Say): void {
  let due = 0n
  for (const { id, deposit, redeemed, closed, lines } of channels) {
    const drawn = sum(lines.map((line) => line.redeemed))
    if (drawn !== redeemed) differs(`channel ${id} has redeemed ${redeemed}, its lines ${drawn}`)
    if (redeemed > deposit) differs(`channel ${id} has redeemed ${redeemed} of a deposit of ${deposit}`)
    if (!closed) due += deposit - redeemed
  }
  if (held !== due) differs(`the contract Channels holds ${held}; its open channels still have ${due}`)
}

/** No number of a receipt key stands on two claims, wherever they are kept; epochs do not fall along the numbers. */
function numbers({ providers }: Facts, differs: Say): void {
  const byNumber = new Map<string, Hex>()
  for (const { name, claims } of providers) {
    const last = new Map<Hex, Claim>()
    for (const claim of [...claims].sort((a, b) => (a.sequence < b.sequence ? -1 : 1))) {
      const { keyId, sequence, epoch, claimId } = claim
      const other = byNumber.get(`${keyId}/${sequence}`)
      if (other !== undefined && other !== claimId)
        differs(`number ${sequence} of key ${keyId} stands on claims ${other} and ${claimId}`)
      byNumber.set(`${keyId}/${sequence}`, claimId)
      const before = last.get(keyId)
      if (before && before.epoch > epoch)
        differs(
          `${name}: claim ${sequence} of key ${keyId} is of epoch ${epoch}, the one before of ${before.epoch}`,
        )
      last.set(keyId, claim)
    }
  }
}

/**
 * Channels that other payers opened: their vouchers and claims are in books that are not here. Where this gateway has no line
 * at all, its books may be lost, and every channel is taken for its own.
 */
function foreign({ chain, gateway }: Facts): ReadonlySet<Hex> {
  const ours = new Set(gateway.lines.map(({ channel }) => channel))
  const payers = new Set(chain.channels.filter(({ id }) => ours.has(id)).map(({ payer }) => payer))
  return new Set(
    chain.channels.filter(({ payer }) => payers.size > 0 && !payers.has(payer)).map(({ id }) => id),
  )
}

/**
 * Whether a provider's books are among those given: the gateway buys of others too, in homes of their own. Where it is not known
 * whose some books are, they may be anybody's.
 */
function here({ providers }: Facts): (provider: Hex) => boolean {
  const addresses = new Set(providers.map(({ address }) => address))
  return (provider) => addresses.has(undefined) || addresses.has(provider)
}

/** A line's voucher is the sum of its paid claims, the same on both sides, and bounds what the chain has paid. */
function vouchers(facts: Facts, differs: Say, open: Say): void {
  const { chain, providers, gateway } = facts
  const others = foreign(facts)
  const sent = new Map(gateway.lines.map((line) => [lineKey(line), line.cumulative]))
  const drawn = new Map(
    chain.channels.flatMap(({ id, lines }) =>
      lines.map(({ model, redeemed }) => [lineKey({ channel: id, model }), redeemed] as const),
    ),
  )
  for (const { name, claims, lines } of providers) {
    const paid = new Map<string, bigint>()
    for (const claim of claims)
      if (claim.state === 'paid') paid.set(lineKey(claim), (paid.get(lineKey(claim)) ?? 0n) + claim.amount)
    const held = new Map(lines.map((line) => [lineKey(line), line.cumulative]))
    for (const key of new Set([...paid.keys(), ...held.keys()])) {
      const voucher = held.get(key) ?? 0n
      const isOurs = !others.has(key.slice(0, key.indexOf('/')))
      if (voucher !== (paid.get(key) ?? 0n))
        differs(
          `${name}: the voucher of line ${key} is for ${voucher}, its paid claims come to ${paid.get(key) ?? 0n}`,
        )
      const signed = sent.get(key) ?? 0n
      if (isOurs && signed < voucher)
        differs(`${name} holds a voucher for ${voucher} on line ${key}; the gateway knows ${signed}`)
      if (isOurs && signed > voucher)
        open(`${name} has not taken the voucher for ${signed} on line ${key}; it holds ${voucher}`)
      const redeemed = drawn.get(key) ?? 0n
      if (redeemed > voucher)
        differs(`line ${key} was redeemed to ${redeemed}; ${name} holds a voucher for ${voucher}`)
      if (redeemed < voucher) open(`${name} has still to redeem ${voucher - redeemed} on line ${key}`)
    }
  }
}

/** Every closed epoch with claims has a batch, and the chain holds the same one. */
function batches({ chain, providers }: Facts, differs: Say, open: Say): void {
  const posted = new Map(chain.batches.map((batch) => [`${batch.keyId}/${batch.epoch}`, batch]))
  for (const { name, claims, batches: sealed, epoch } of providers) {
    const byKey = new Map(sealed.map((batch) => [`${batch.keyId}/${batch.epoch}`, batch]))
    const missing = new Set(
      claims
        .filter((claim) => claim.epoch < epoch && !byKey.has(`${claim.keyId}/${claim.epoch}`))
        .map((claim) => `${claim.keyId}/${claim.epoch}`),
    )
    for (const key of missing) open(`${name} has not sealed batch ${key}`)
    for (const batch of sealed) {
      const key = `${batch.keyId}/${batch.epoch}`
      const on = posted.get(key)
      if (!on) open(`${name} has not posted batch ${key} for good`)
      else if (on.root !== batch.root || on.first !== batch.first || on.end !== batch.end)
        differs(
          `batch ${key} is ${on.first} to ${on.end}, ${on.root} on chain; ${name} has ${batch.first} to ${batch.end}, ${batch.root}`,
        )
    }
    for (const claim of claims) {
      const batch = byKey.get(`${claim.keyId}/${claim.epoch}`)
      if (batch && (claim.sequence < batch.first || claim.sequence >= batch.end))
        differs(
          `${name}: claim ${claim.sequence} of key ${claim.keyId} lies outside its batch of epoch ${claim.epoch}`,
        )
    }
  }
}

/** A key has paid for its receipts and nothing else, and nothing is held but for what runs. */
function balances({ keys, requests, receipts }: GatewayFacts, differs: Say, open: Say): void {
  for (const { request } of requests.filter(({ state }) => state === 'running'))
    open(`request ${request} is running`)
  for (const { id, balance, reserved, granted } of keys) {
    const held = sum(
      requests.filter((one) => one.keyId === id && one.state === 'running').map((one) => one.reserved),
    )
    if (held !== reserved) differs(`key ${id} has ${reserved} reserved; its running requests come to ${held}`)
    if (granted === undefined) continue
    const spent = sum(receipts.filter(({ keyId }) => keyId === id).map(({ amount }) => amount))
    if (granted - balance !== spent)
      differs(
        `key ${id} was granted ${granted} and has ${balance}; its receipts come to ${spent}, not ${granted - balance}`,
      )
  }
  const receipted = new Set(receipts.map(({ request }) => request))
  for (const { request, state } of requests)
    if ((state === 'accepted') !== receipted.has(request))
      differs(`request ${request} is ${state} and has ${receipted.has(request) ? 'a' : 'no'} receipt`)
}

/** Every line of a lease's journal is one receipt of that lease's key, of that amount; no lease gives more than it holds. */
function spending({ receipts, leases, strays }: GatewayFacts, differs: Say): void {
  for (const { request, keyId, amount, spent } of receipts) {
    if (spent === undefined) continue
    if (spent.amount !== amount)
      differs(`request ${request} has a receipt for ${amount}; ${spent.amount} was spent on it`)
    if (spent.keyId !== keyId)
      differs(`request ${request} is of key ${keyId}; it was paid from a lease of key ${spent.keyId}`)
  }
  for (const { request, keyId, amount } of strays)
    differs(`key ${keyId} has spent ${amount} on request ${request}, which has no receipt`)
  for (const { id, keyId, amount, spent, held } of leases)
    if (spent + held > amount)
      differs(
        `lease ${id} of key ${keyId} holds ${amount}; ${spent} was spent from it and ${held} runs on it`,
      )
}

/** Every claim is known to both sides, with one end: paid, to be paid, or refused. */
function claims(facts: Facts, say: (kind: Finding['kind'], rule: string) => Say): void {
  const { providers, gateway } = facts
  const others = foreign(facts)
  const differs = say('difference', 'claim')
  const open = say('open', 'claim')
  const made = new Map(
    providers.flatMap(({ name, claims: all }) => all.map((claim) => [claim.claimId, { name, claim }])),
  )
  const receipts = new Map(gateway.receipts.map((receipt) => [receipt.claimId, receipt]))
  const refused = new Map(gateway.refused.map((one) => [one.claimId, one.reason]))
  const isHere = here(facts)
  for (const receipt of gateway.receipts) {
    const { claimId, amount, acknowledged } = receipt
    const known = made.get(claimId)
    if (!known && !isHere(receipt.provider)) continue
    if (!known) differs(`the gateway has a receipt of claim ${claimId}; no provider has that claim`)
    else if (known.claim.amount !== amount || lineKey(known.claim) !== lineKey(receipt))
      differs(`claim ${claimId} is ${known.claim.amount} at ${known.name}, ${amount} at the gateway`)
    else if (known.claim.state !== 'paid')
      open(`claim ${claimId} is accepted and ${known.claim.state} at ${known.name}`)
    else if (!acknowledged) open(`claim ${claimId} is paid at ${known.name}, which the gateway has not heard`)
  }
  for (const [claimId, { name, claim }] of made) {
    if (receipts.has(claimId) || others.has(claim.channel)) continue
    const reason = refused.get(claimId)
    if (claim.state === 'paid')
      differs(`${name} was paid for claim ${claimId}, of which the gateway has no receipt`)
    else if (reason === undefined)
      open(`claim ${claimId} of ${name} (${claim.state}) is not known to the gateway`)
    else if (claim.state === 'unpaid') open(`claim ${claimId} is refused, which ${name} has not heard`)
    else say('refused', 'claim')(`claim ${claimId} of ${name}, ${claim.amount} micro-units: ${reason}`)
  }
}

/** Who was given an answer has its receipt and was given that text; who was told that nothing is charged was not charged. */
function answers({ gateway, answers: told }: Facts, differs: Say): void {
  const receipts = new Map(gateway.receipts.map((receipt) => [receipt.request, receipt]))
  const unsure = new Set(told.filter(({ outcome }) => outcome !== 'refused').map(({ request }) => request))
  for (const answer of told) {
    const receipt = receipts.get(answer.request)
    if (answer.outcome === 'refused' && receipt && !unsure.has(answer.request))
      differs(
        `request ${answer.request} was refused, and ${receipt.amount} charged for claim ${receipt.claimId}`,
      )
    if (answer.outcome !== 'answered') continue
    if (!receipt)
      differs(
        `request ${answer.request} was answered with claim ${answer.claimId ?? '(unknown)'}; the gateway has no receipt`,
      )
    else if (answer.claimId !== undefined && receipt.claimId !== answer.claimId)
      differs(
        `request ${answer.request} was answered with claim ${answer.claimId}; the gateway keeps ${receipt.claimId}`,
      )
    else if (receipt.content !== undefined && receipt.content !== answer.content)
      differs(`the answer to request ${answer.request} is not the one that the gateway keeps`)
  }
}

function lineKey({ channel, model }: { readonly channel: Hex; readonly model: Hex }): string {
  return `${channel}/${model}`
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n)
}
