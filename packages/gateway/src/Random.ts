import { randomBytes } from 'node:crypto'
import type { Bytes } from '@counterfoil/protocol'

/** 32 random bytes: nonces that the gateway has to pick. */
export type Random = () => Bytes.Hex

export const system: Random = () => `0x${randomBytes(32).toString('hex')}`
