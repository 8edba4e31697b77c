import { Bytes, Digest, Sampler } from '@counterfoil/protocol'

/** Numbers that follow from a name, so that every prompt, nonce and resampled run can be made again. */
export type Random = {
  /** From 0 up to, not including, 1. */
  next(): number
  /** 0 … below - 1. */
  integer(below: number): number
  pick<T>(values: readonly [T, ...T[]] | readonly T[]): T
}

/** Philox4x32-10 keyed by SHA-256 of the name, 32 bits a number. */
export function from(name: string): Random {
  const view = new DataView(Digest.sha256(Bytes.fromText(`counterfoil lab: ${name}`)).buffer)
  const [k0, k1, c2, c3] = [0, 4, 8, 12].map((at) => view.getUint32(at)) as [number, number, number, number]
  let drawn = 0
  const next = () => {
    const [x] = Sampler.philox([drawn, Math.floor(drawn / 2 ** 32), c2, c3], [k0, k1])
    drawn += 1
    return x / 2 ** 32
  }
  const integer = (below: number) => Math.floor(next() * below)
  const pick = <T>(values: readonly T[]): T => {
    const value = values[integer(values.length)]
    if (value === undefined) throw new RangeError('nothing to pick from')
    return value
  }
  return { next, integer, pick }
}
