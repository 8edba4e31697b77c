import type { Bytes, Voucher } from '@counterfoil/protocol'
import * as Store from './Store.ts'

/** The highest voucher of a line, and how much of it the chain has paid for good. Micro-units. */
export type Line = Voucher.SignedVoucher & { readonly redeemed: bigint }

export function line(store: Store.Store, channel: Bytes.Hex, model: Bytes.Hex): Line | undefined {
  const row = Store.sql(store, 'SELECT * FROM vouchers WHERE channel = ? AND model = ?').get(channel, model)
  return row && toLine(row)
}

export function lines(store: Store.Store, channel: Bytes.Hex): readonly Line[] {
  return Store.sql(store, 'SELECT * FROM vouchers WHERE channel = ? ORDER BY model').all(channel).map(toLine)
}

/** What a channel has paid: the sum of its lines. */
export function paid(store: Store.Store, channel: Bytes.Hex): bigint {
  return lines(store, channel).reduce((sum, { voucher }) => sum + voucher.cumulative, 0n)
}

/** Replaces the line's voucher; durable when it returns, and only then acknowledged. */
export function put(store: Store.Store, { voucher, signature }: Voucher.SignedVoucher): void {
  Store.sql(
    store,
    `INSERT INTO vouchers (channel, model, cumulative, epoch, signature) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (channel, model) DO UPDATE
       SET cumulative = excluded.cumulative, epoch = excluded.epoch, signature = excluded.signature`,
  ).run(voucher.channel, voucher.model, `${voucher.cumulative}`, `${voucher.epoch}`, signature)
}

/** Lines of open channels that hold more than the chain has paid for good. */
export function unredeemed(store: Store.Store): readonly Line[] {
  return Store.sql(store, 'SELECT * FROM vouchers WHERE closed = 0')
    .all()
    .map(toLine)
    .filter(({ voucher, redeemed }) => voucher.cumulative > redeemed)
}

export function markRedeemed(store: Store.Store, { voucher }: Voucher.SignedVoucher, redeemed: bigint): void {
  Store.sql(store, 'UPDATE vouchers SET redeemed = ? WHERE channel = ? AND model = ?').run(
    `${redeemed}`,
    voucher.channel,
    voucher.model,
  )
}

/** Nothing more can be drawn on this channel. */
export function markClosed(store: Store.Store, channel: Bytes.Hex): void {
  Store.sql(store, 'UPDATE vouchers SET closed = 1 WHERE channel = ?').run(channel)
}

function toLine(row: Readonly<Record<string, unknown>>): Line {
  return {
    voucher: {
      channel: row.channel as Bytes.Hex,
      model: row.model as Bytes.Hex,
      cumulative: BigInt(row.cumulative as string),
      epoch: BigInt(row.epoch as string),
    },
    signature: row.signature as Bytes.Hex,
    redeemed: BigInt(row.redeemed as string),
  }
}
