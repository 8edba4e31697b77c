import * as Params from './Params.ts'
import { type Language, languages, names } from './Topics.ts'

export type Message = { readonly role: 'system' | 'user'; readonly content: string }

/** A question that has, as good as surely, never been asked before: about 2^40 are as likely as one another. */
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
  const first = fill(random, pick(random, language.leads)) + question(random, language)
  // Every second one comes with a further question, so that lengths differ too.
  const user = random() < 0.5 ? first : `${first}\n\n${question(random, language)}`
  return {
    messages: [
      { role: 'system', content: system },
      { role: 'user', content: user },
    ],
    text: `${system}\n\n${user}\n\n`,
  }
}

function question(random: Random, { tasks, subjects, forms }: Language): string {
  const subject = pick(random, subjects)
  const others = subjects.filter((one) => one !== subject)
  const task = pick(random, tasks)
    .replaceAll('{subject}', subject)
    .replaceAll('{other}', pick(random, others))
  return [task, fill(random, pick(random, forms))].filter((part) => part !== '').join(' ')
}

function fill(random: Random, text: string): string {
  const below = (end: number) => Math.floor(random() * end)
  const two = (value: number) => String(value).padStart(2, '0')
  return text
    .replaceAll('{name}', pick(random, names))
    .replaceAll('{time}', `${below(24)}:${two(below(60))}`)
    .replaceAll('{date}', `${1 + below(28)}.${1 + below(12)}.`)
    .replaceAll('{n}', String(2 + below(Params.promptNumberMax - 1)))
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
