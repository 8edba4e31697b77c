import * as Seeded from '../../../protocol/test/sampled/Random.ts'

/** Numbers in [0, 1) that a seed determines. */
export type Random = () => number

/** @example const random = Random.of(1); random() === Random.of(1)() */
export function of(seed: number): Random {
  return Seeded.create(seed).uniform
}

export function between(random: Random, least: number, most: number): number {
  return least + random() * (most - least)
}

export function pick<T>(random: Random, list: readonly [T, ...T[]]): T {
  return list[Math.floor(random() * list.length)] ?? list[0]
}
