import type { Voucher } from '@counterfoil/protocol'
import { sql } from 'kysely'
import type { Database, Executor } from './Database.ts'
import * as Params from './Params.ts'

// A channel's lines, one a model: the highest voucher that the provider has taken. One gateway at a time signs for a channel.

/** Remembers a voucher, unless a higher one is known; whether it was new. */
export async function raise(
  executor: Executor,
  { voucher, signature }: Voucher.SignedVoucher,
): Promise<boolean> {
  const { channel, model, cumulative, epoch } = voucher
  const raised = await executor
    .insertInto('lines')
    .values({ channel, model, cumulative, epoch, signature })
    .onConflict((conflict) =>
      conflict
        .columns(['channel', 'model'])
        .doUpdateSet({ cumulative, epoch, signature })
        .where('lines.cumulative', '<', cumulative),
    )
    .returning('model')
    .executeTakeFirst()
  return raised !== undefined
}

/**
 * Takes the channel for signing, or keeps it; false while another gateway has it. Two that sign from the same base would each
 * ask the provider to take claims that the other's voucher has paid. A row of its own, because a channel that has paid nothing
 * yet has no line to lock, and because it outlives a transaction: until the provider has answered.
 */
export async function claim(database: Database, channel: string, owner: bigint): Promise<boolean> {
  const expiry = sql<Date>`now() + ${Params.signingMs} * interval '1 millisecond'`
  const taken = await database
    .insertInto('signers')
    .values({ channel, owner, expires_at: expiry })
    .onConflict((conflict) =>
      conflict
        .column('channel')
        .doUpdateSet({ owner, expires_at: expiry })
        .where(({ or, eb }) =>
          or([eb('signers.owner', '=', owner), eb('signers.expires_at', '<', sql<Date>`now()`)]),
        ),
    )
    .returning('channel')
    .executeTakeFirst()
  return taken !== undefined
}

/** Leaves the channel to whoever comes next. */
export async function release(database: Database, channel: string, owner: bigint): Promise<void> {
  await database.deleteFrom('signers').where('channel', '=', channel).where('owner', '=', owner).execute()
}

/** What accepted claims of a channel come to that no voucher has paid. */
export async function owed(database: Database, channel: string): Promise<bigint> {
  const { sum } = await database
    .selectFrom('receipts')
    .select(({ fn }) => fn.sum<string | null>('amount').as('sum'))
    .where('channel', '=', channel)
    .where('acknowledged', '=', false)
    .executeTakeFirstOrThrow()
  return BigInt(sum ?? 0)
}
