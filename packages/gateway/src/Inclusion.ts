import { Batch, type Bytes, ProviderHttp } from '@counterfoil/protocol'
import type { ChainReader } from './ChainView.ts'
import type { Clock } from './Clock.ts'
import type { Database } from './Database.ts'
import type { Directory } from './Directory.ts'
import type { Events } from './events.ts'
import * as Params from './Params.ts'
import * as Row from './Row.ts'

export type Options = {
  readonly database: Database
  readonly reader: ChainReader
  readonly directory: Directory
  readonly clock: Clock
  readonly events: Events
}

/** Looks for the roots of accepted answers that have no proof of inclusion yet, and proves those that are on chain. */
export async function collect(options: Options): Promise<void> {
  const { database, clock } = options
  const batches = await database
    .selectFrom('receipts')
    .select(['provider', 'receipt_key', 'epoch'])
    .distinct()
    .where('inclusion', 'is', null)
    .where('created_at', '>', new Date(clock.now() - Params.inclusionWindowMs))
    .orderBy('epoch')
    .limit(Params.inclusionBatchesMax)
    .execute()
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
  if (Batch.root(leaves) !== root.root) return
  const receipts = await database
    .selectFrom('receipts')
    .select(['request', 'claim_id', 'transcript'])
    .where('receipt_key', '=', keyId)
    .where('epoch', '=', epoch)
    .where('inclusion', 'is', null)
    .limit(Params.claimsPerVoucherMax)
    .execute()
  for (const { request, claim_id } of receipts) {
    const index = leaves.indexOf(Row.hex(claim_id))
    if (index === -1) continue
    const inclusion = JSON.stringify({ kind: 'inclusion', path: Batch.prove(leaves, index) })
    await database.updateTable('receipts').set({ inclusion }).where('request', '=', request).execute()
  }
  events.included({ keyId, epoch, receipts: receipts.length })
}
