import { setTimeout as wait } from 'node:timers/promises'
import type { Load } from './Load.ts'
import * as Random from './Random.ts'

/** When the next kill comes. Milliseconds where not said otherwise. */
export type Moments = {
  /** Of all kills, those that do not wait for answers: they fall into the recovery from the one before. */
  readonly blind: number
  /** … so long after it. */
  readonly blindMs: readonly [number, number]
  /** The others wait for so many more answers, and then a part of the time that one takes. */
  readonly answers: readonly [number, number]
  readonly withinMs: number
  /** A network that answers nobody for this long is killed on all the same. */
  readonly stalledMs: number
}

/** A few answers between two kills, a third of which come without any. */
export const usual: Moments = {
  blind: 0.33,
  blindMs: [0, 4_000],
  answers: [2, 12],
  withinMs: 500,
  stalledMs: 60_000,
}

/** Waits for the next moment; what it waited for. */
export async function next(
  moments: Moments,
  load: Load,
  random: Random.Random,
): Promise<'blind' | 'under load' | 'stalled'> {
  // All drawn at once, so that the order of draws does not depend on what happens.
  const blind = random() < moments.blind
  const blindMs = Random.between(random, ...moments.blindMs)
  const answers = Math.round(Random.between(random, ...moments.answers))
  const withinMs = random() * moments.withinMs
  if (blind) {
    await wait(blindMs)
    return 'blind'
  }
  const came = await load.more(answers, moments.stalledMs)
  await wait(withinMs)
  return came ? 'under load' : 'stalled'
}
