import { setTimeout as wait } from 'node:timers/promises'
import type { Answer } from '../../src/money/Facts.ts'
import * as Client from './Client.ts'
import * as Random from './Random.ts'

/**
 * Clients that ask without pause, at any gateway, with any key, streamed or not; that leave in the middle, ask again where they
 * cannot know, and ask again for what they have.
 */
export type Load = {
  /** What each was told, in order. */
  readonly answers: readonly Answer[]
  readonly counts: Readonly<Record<string, number>>
  /** What came to its end and was no answer. */
  readonly faults: readonly string[]
  /** Requests that were answered; the same request counts once. */
  answered(): number
  /** Resolves when `count` more are answered, or after `ms`: then it says false. */
  more(count: number, ms: number): Promise<boolean>
  stop(): Promise<void>
}

const triesMax = 8

export function start(
  door: Client.Door,
  { seed, clients }: { readonly seed: number; readonly clients: number },
): Load {
  const answers: Answer[] = []
  const counts: Record<string, number> = {}
  const faults: string[] = []
  const known = new Set<string>()
  let stopped = false

  async function once(question: Client.Question, random: Random.Random): Promise<boolean> {
    const told = await Client.ask(Random.pick(random, door.urls), question, Client.departure(random))
    const { answer, fault } = told
    if (answer) answers.push(answer)
    if (fault !== undefined) faults.push(fault)
    const again = answer?.outcome === 'answered' && known.has(answer.request)
    if (answer?.outcome === 'answered') known.add(answer.request)
    const label = again ? 'answered again' : told.label
    counts[label] = (counts[label] ?? 0) + 1
    return told.answered
  }

  async function client(index: number): Promise<void> {
    const random = Random.of(seed * 1000 + index)
    while (!stopped) {
      const question = Client.compose(door, random)
      let done = false
      for (let tries = 0; tries < triesMax && !done; tries++) {
        done = await once(question, random)
        if (!done) await wait(Random.between(random, 20, 400))
        if (!question.repeatable || stopped) break
      }
      // Whoever asks for what it has must be given the same, for nothing.
      if (done && question.repeatable && random() < 0.1) await once(question, random)
    }
  }

  const running = Array.from({ length: clients }, (_, index) => client(index))
  return {
    answers,
    counts,
    faults,
    answered: () => known.size,
    async more(count, ms) {
      const wanted = known.size + count
      const deadline = performance.now() + ms
      while (known.size < wanted) {
        if (performance.now() > deadline) return false
        await wait(10)
      }
      return true
    },
    async stop() {
      stopped = true
      await Promise.all(running)
    },
  }
}
