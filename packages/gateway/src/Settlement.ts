import { Claim, ProviderHttp, Transcript } from '@counterfoil/protocol'
import type { Balances } from './Balances.ts'
import type { Database } from './Database.ts'
import * as Journal from './Journal.ts'

export type Settled =
  /** Now, or by whoever recovered it before us. */
  | { readonly kind: 'accepted' }
  /** The request has ended otherwise, so this claim is not paid. */
  | { readonly kind: 'late'; readonly reason: string }

/**
 * Accepts a checked claim in one transaction: the caller's balance pays exactly its amount, the transcript is kept, and the
 * claim stands on its line for the next voucher. Durable when it returns; repeating it changes nothing.
 */
export async function accept(
  database: Database,
  balances: Balances,
  { attemptId, transcript }: { readonly attemptId: bigint; readonly transcript: Transcript.Transcript },
): Promise<Settled> {
  const { claim } = transcript.receipt
  const claimId = Claim.id(claim)
  return database.transaction().execute(async (tx): Promise<Settled> => {
    const row = await Journal.lock(tx, claim.request)
    if (row.state === 'accepted') {
      const known = await tx
        .selectFrom('receipts')
        .select('claim_id')
        .where('request', '=', claim.request)
        .executeTakeFirstOrThrow()
      if (known.claim_id === claimId) return { kind: 'accepted' }
      return { kind: 'late', reason: `claim ${known.claim_id} was accepted for this request` }
    }
    const attempt = await tx
      .updateTable('attempts')
      .set({ state: 'accepted' })
      .where('id', '=', attemptId)
      .where('state', '=', 'running')
      .returning('id')
      .executeTakeFirst()
    if (row.state !== 'running' || !attempt)
      return { kind: 'late', reason: 'the request was given up before this claim came' }
    await tx.updateTable('requests').set({ state: 'accepted' }).where('request', '=', claim.request).execute()
    await tx
      .insertInto('receipts')
      .values({
        request: claim.request,
        key_id: row.key_id,
        claim_id: claimId,
        provider: claim.provider,
        receipt_key: claim.keyId,
        channel: claim.channel,
        model: claim.model,
        epoch: claim.epoch,
        amount: claim.amount,
        transcript: JSON.stringify(Transcript.toJson(transcript)),
        inclusion: null,
        acknowledged: false,
      })
      .execute()
    // Refused at an earlier try of the same request, good now: one claim cannot be both in a voucher's lists.
    await tx.deleteFrom('refused_claims').where('claim_id', '=', claimId).execute()
    await balances.settle(tx, row.key_id, row.reserved, claim.amount)
    return { kind: 'accepted' }
  })
}

/** Keeps a claim that is not paid, as evidence, with the reason that the provider will be told. */
export async function refuse(
  database: Database,
  {
    end,
    channel,
    model,
    provider,
    reason,
    attemptId,
  }: {
    readonly end: ProviderHttp.End
    /** Ours, of the job: what the claim says of itself may be wrong. */
    readonly channel: string
    readonly model: string
    readonly provider: string
    readonly reason: string
    readonly attemptId: bigint | undefined
  },
): Promise<void> {
  const told = { reason: reason.replaceAll('\0', '').slice(0, 1024), told: false }
  await database.transaction().execute(async (tx) => {
    await tx
      .insertInto('refused_claims')
      .values({
        ...told,
        claim_id: Claim.id(end.receipt.claim),
        request: end.receipt.claim.request,
        provider,
        channel,
        model,
        evidence: JSON.stringify(ProviderHttp.endToJson(end)),
      })
      .onConflict((conflict) => conflict.column('claim_id').doUpdateSet(told))
      .execute()
    if (attemptId !== undefined)
      await tx
        .updateTable('attempts')
        .set({ state: 'refused', reason: told.reason })
        .where('id', '=', attemptId)
        .where('state', '=', 'running')
        .execute()
  })
}
