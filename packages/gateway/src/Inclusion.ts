import { Batch, type Bytes, ProviderHttp } from '@counterfoil/protocol'
import { sql } from 'kysely'
import type { ChainReader } from './ChainView.ts'
import type { Database } from './Database.ts'
import type { Directory } from './Directory.ts'
import type { Events } from './events.ts'
import * as Params from './Params.ts'
import * as Row from './Row.ts'

export type Options = {
  readonly database: Database
  readonly reader: ChainReader
  readonly directory: Directory
  readonly events: Events
}

type Batches = { readonly provider: string; readonly receipt_key: string; readonly epoch: bigint }

/**
 * Rounds that look for the roots of accepted answers without a proof of inclusion, and prove those that are on chain. Each
 * round goes on where the last one ended, so that batches whose roots never come do not keep the others waiting.
 * @example background.every('proving inclusion', ms, Inclusion.create(options))
 */
export function create(options: Options): () => Promise<void> {
  let last: Batches | undefined
  return async () => {
    const batches = await next(options, last)
    last = batches.length < Params.inclusionBatchesMax ? undefined : batches.at(-1)
    await collect(options, batches)
  }
}

async function next({ database }: Options, last: Batches | undefined): Promise<readonly Batches[]> {
  let query = database
    .selectFrom('receipts')
    .select(['provider', 'receipt_key', 'epoch'])
    .distinct()
    .where('inclusion', 'is', null)
    .where('created_at', '>', Row.ago(Params.inclusionWindowMs))
  if (last)
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(
        refTuple('epoch', 'receipt_key', 'provider'),
        '>',
        tuple(last.epoch, last.receipt_key, last.provider),
      ),
    )
  return query
    .orderBy('epoch')
    .orderBy('receipt_key')
    .orderBy('provider')
    .limit(Params.inclusionBatchesMax)
    .execute()
}

async function collect(options: Options, batches: readonly Batches[]): Promise<void> {
  let failure: { readonly error: unknown } | undefined
  for (const { provider, receipt_key, epoch } of batches)
    try {
      await prove(options, { provider, keyId: Row.hex(receipt_key), epoch })
    } catch (error) {
      // One provider that is away must not keep the proofs of all others back.
      failure ??= { error }
    }
  if (failure) throw failure.error
}

async function prove(
  { database, reader, directory, events }: Options,
  {
    provider,
    keyId,
    epoch,
  }: { readonly provider: string; readonly keyId: Bytes.Hex; readonly epoch: bigint },
): Promise<void> {
  const root = await reader.root(keyId, epoch)
  const account = directory.accounts().find(({ payee }) => payee === provider)
  if (!root || !account) return
  const value = await account.client.get(ProviderHttp.paths.batch(keyId, epoch))
  const { first, leaves } = ProviderHttp.readBatch(value, '$')
  // Leaves that do not make the root on chain prove nothing: we look again later.
  if (first !== root.first || BigInt(leaves.length) !== root.end - root.first) return
  const tree = Batch.prover(leaves)
  if (tree.root !== root.root) return
  const places = new Map(leaves.map((leaf, index) => [leaf, index]))
  const receipts = await database
    .selectFrom('receipts')
    .select(['request', 'claim_id'])
    .where('receipt_key', '=', keyId)
    .where('epoch', '=', epoch)
    .where('inclusion', 'is', null)
    .limit(Params.claimsPerVoucherMax)
    .execute()
  const proofs = receipts.flatMap(({ request, claim_id }) => {
    const index = places.get(Row.hex(claim_id))
    return index === undefined
      ? []
      : [sql`(${request}::text, ${JSON.stringify({ kind: 'inclusion', path: tree.prove(index) })}::text)`]
  })
  if (proofs.length > 0)
    await sql`update receipts set inclusion = proof from (values ${sql.join(proofs)}) as proved (proving, proof)
      where request = proving`.execute(database)
  events.included({ keyId, epoch, receipts: proofs.length })
}
