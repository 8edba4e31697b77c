import { claim } from './claim.ts'
import { merkle } from './merkle.ts'
import type { Vectors } from './Vectors.ts'
import { voucherVectors } from './voucher.ts'

/** Every noun's vectors by the folder they are written to. */
export const all: Readonly<Record<string, Vectors>> = { claim, merkle, voucher: voucherVectors }
