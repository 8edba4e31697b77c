import * as Params from './Params.ts'
import { type Language, languages, names } from './Topics.ts'

export type Message = { readonly role: 'system' | 'user'; readonly content: string }

/** A question that has, as good as surely, never been asked before. */
export type Prompt = {
  readonly messages: readonly Message[]
  /** The same for an API that only completes text. */
  readonly text: string
}

/** A number in [0, 1), as unforeseeable as the API must find the questions: from a cryptographic source. */
export type Random = () => number

/**
 * Composes a prompt. A system message always stands first: where there is none, templates and servers put in their own
 * default, and not all the same.
 * @example Prompt.compose(() => randomInt(2 ** 32) / 2 ** 32).messages[1].content // 'Explain the tides to a beginner. …'
 */
export function compose(random: Random): Prompt {
  const language = weighted(random, languages)
  const system = pick(random, language.systems)
  const first = sentence(random, language)
  // One subject in two goes with a second question, so that lengths differ too.
  const user = random() < 0.5 ? first : `${first}\n\n${sentence(random, language)}`
  return {
    messages: [
      { role: 'system', content: system },
      { role: 'user', content: user },
    ],
    text: `${system}\n\n${user}\n\n`,
  }
}

function sentence(random: Random, { tasks, subjects, forms, leads }: Language): string {
  const subject = pick(random, subjects)
  const other = pick(
    random,
    subjects.filter((one) => one !== subject),
  )
  const fill = (text: string) =>
    text
      .replaceAll('{subject}', subject)
      .replaceAll('{other}', other)
      .replaceAll('{name}', pick(random, names))
      .replaceAll('{n}', String(2 + Math.floor(random() * (Params.promptNumberMax - 1))))
  return [fill(pick(random, leads)) + fill(pick(random, tasks)), fill(pick(random, forms))]
    .filter((part) => part !== '')
    .join(' ')
}

function pick<T>(random: Random, from: readonly T[]): T {
  const one = from[Math.floor(random() * from.length)]
  if (one === undefined) throw new RangeError('nothing to pick from; the random number was not in [0, 1)')
  return one
}

function weighted(random: Random, from: readonly Language[]): Language {
  let left = random() * from.reduce((sum, { weight }) => sum + weight, 0)
  for (const one of from) {
    left -= one.weight
    if (left < 0) return one
  }
  return pick(random, from)
}
