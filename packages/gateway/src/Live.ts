/** Attempts that this process is busy with, and how many are being written to the journal at this moment. */
export type Live = { readonly attempts: Set<bigint>; beginning: number }
