import { Bytes } from '../../src/index.ts'

/** Numbers that depend on the seed alone (mulberry32), so that every run of a test is the same. */
export type Random = {
  readonly uniform: () => number
  readonly normal: () => number
  readonly hex: (bytes: number) => Bytes.Hex
}

export function create(seed: number): Random {
  let state = seed | 0
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    hex: (bytes) => Bytes.toHex(Uint8Array.from({ length: bytes }, () => Math.floor(uniform() * 256))),
  }
}
