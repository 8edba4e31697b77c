import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Claim, Network } from '@counterfoil/protocol'
import { Gather, Money, type MoneyFacts, RunFile } from '@counterfoil/testnet'
import { Failure } from '../Failure.ts'
import * as Home from '../Home.ts'
import type { Setting } from '../Setting.ts'

/** What holding all books of a home against each other found, and how much there was to hold. */
export type Audit = {
  readonly findings: readonly MoneyFacts.Finding[]
  readonly books: {
    readonly channels: number
    readonly claims: number
    readonly receipts: number
    readonly answers: number
    readonly keys: number
  }
}

/**
 * Contract, channels, vouchers, claims, balances, journals, and the answers that clients kept (in `receipts`, a folder; by default
 * this home's own), held against each other to the unit.
 * @throws {Failure} where a book is out of reach: half the books prove nothing.
 */
export async function audit(
  { home, databaseUrl }: Setting,
  { receipts = Home.paths.receipts(home) }: { readonly receipts?: string | undefined } = {},
): Promise<Audit> {
  const url = databaseUrl ?? RunFile.read(home)?.urls.database
  if (url === undefined)
    throw new Failure(
      `the books cannot be read: no network runs in ${home}`,
      'start it with: foil up --no-ask; or set DATABASE_URL',
    )
  const stores = readdirSync(home).filter((name) => existsSync(join(home, name, 'provider.sqlite')))
  if (stores.length === 0)
    throw new Failure(
      `the providers' books are not in ${home}`,
      'run it in a home of foil up; a gateway alone sees its own side only',
    )
  const answers = kept(home, receipts)
  const facts = await Gather.gather({ home, databaseUrl: url, answers })
  return {
    findings: Money.reconcile(facts),
    books: {
      channels: facts.chain.channels.length,
      claims: facts.providers.reduce((sum, { claims }) => sum + claims.length, 0),
      receipts: facts.gateway.receipts.length,
      answers: answers.length,
      keys: facts.gateway.keys.length,
    },
  }
}

/** What was given to who kept these receipts: the transcripts of this home's network. */
function kept(home: string, receipts: string): readonly MoneyFacts.Answer[] {
  const domain = Network.domain(Home.network(home))
  return Home.transcriptsIn(receipts).flatMap(({ transcript }) => {
    if (transcript?.receipt.claim.domain !== domain) return []
    const { claim } = transcript.receipt
    const content = transcript.output.choices[0]?.message.content ?? ''
    return [{ outcome: 'answered', request: claim.request, claimId: Claim.id(claim), content }]
  })
}
