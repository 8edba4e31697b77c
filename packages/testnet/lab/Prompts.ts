import { Bytes, Digest, type Job, Nonce } from '@counterfoil/protocol'
import { answerTokens } from './Params.ts'
import * as Random from './Random.ts'

// What an auditor asks in the lab: tasks, topics, languages and lengths mixed by a seed. Made here, never from users.

const topics = {
  en: [
    'the river Nile',
    'making bread',
    'the French Revolution',
    'black holes',
    'learning the piano',
    'tax returns',
    'bicycle repair',
    'photosynthesis',
    'the Roman army',
    'coffee',
    'whales',
    'volcanoes',
    'chess openings',
    'knitting',
    'the stock market',
    'sleep',
    'Antarctica',
    'the printing press',
    'vaccines',
    'a lost umbrella',
    'gardening in spring',
    'a night train',
    'the Silk Road',
    'solar panels',
    'marathon training',
    'bees',
    'Ada Lovelace',
    'a job interview',
    'the moon',
    'jazz',
  ],
  de: [
    'den Rhein',
    'gutes Brot',
    'schwarze Löcher',
    'die Römer',
    'Fahrräder',
    'Bienen',
    'das Wetter',
    'den Mond',
  ],
  fr: ['la Seine', 'le pain', 'les trous noirs', 'les Romains', 'les abeilles', 'la lune'],
  es: ['el río Ebro', 'el pan', 'los volcanes', 'las abejas', 'la luna', 'el ajedrez'],
} as const
type Language = keyof typeof topics

const tasks: { readonly [language in Language]: readonly string[] } = {
  en: [
    'Tell me about TOPIC.',
    'Explain TOPIC to a child.',
    'Write a short poem about TOPIC.',
    'Give me five facts about TOPIC.',
    'What are common mistakes concerning TOPIC?',
    'Write the opening of a story about TOPIC.',
    'Compare TOPIC with something similar.',
    'Write a polite e-mail that mentions TOPIC.',
    'Why does TOPIC matter? Answer in one paragraph.',
    'Make a quiz question about TOPIC and answer it.',
    'Write a Python function whose name has to do with TOPIC.',
    'List three questions one could ask an expert on TOPIC.',
    'Summarise what you know of TOPIC as JSON.',
    'Write a dialogue between two friends about TOPIC.',
    'Translate into French: I read a book about TOPIC yesterday.',
    'What happened first in the history of TOPIC?',
  ],
  de: [
    'Erzähl mir etwas über TOPIC.',
    'Schreib ein kurzes Gedicht über TOPIC.',
    'Nenne drei Fakten über TOPIC.',
  ],
  fr: ['Parle-moi de ceci : TOPIC.', 'Écris un petit poème sur TOPIC.', 'Donne trois faits sur TOPIC.'],
  es: ['Háblame sobre TOPIC.', 'Escribe un poema corto sobre TOPIC.', 'Dame tres datos sobre TOPIC.'],
}

const sentences = [
  'The committee met again on Tuesday, and nothing was decided.',
  'Prices rose by four per cent in the second quarter.',
  'She had never seen the sea before that summer.',
  'Engineers replaced the old bridge within six weeks.',
  'A letter arrived, but nobody in the house could read it.',
  'Most of the samples were taken near the northern shore.',
  'The recipe asks for two eggs, flour, and a little patience.',
  'Critics disagreed about the second act.',
  'By morning the fog had lifted and the boats went out.',
  'The new rules apply to all contracts signed after May.',
] as const

const personas = [
  'You are a patient teacher.',
  'You are a helpful assistant that answers in plain language.',
  'You write for a newspaper.',
  'You are an expert consultant.',
] as const

/** What kind of traffic a prompt looks like; every recorded answer carries it. */
export type Stratum = {
  readonly language: Language
  readonly length: 'short' | 'long'
  readonly sampling: 'plain' | 'nucleus' | 'greedy'
}
export type Asked = { readonly job: Job.Job; readonly stratum: Stratum }
/** Parameters of the mix: audits at T = 1 alone for the bars, a tenth each of others where honesty is calibrated. */
export type Mix = 'plain' | 'varied'

/**
 * Job number `i` of a series. The same name gives the same jobs on every machine.
 * @example Prompts.ask({ series: 'q4_0', i: 0, mix: 'plain', model }).job.messages
 */
export function ask(of: {
  readonly series: string
  readonly i: number
  readonly mix: Mix
  readonly model: Bytes.Hex
}): Asked {
  const random = Random.from(`prompt ${of.series} ${of.i}`)
  const language = random.next() < 0.8 ? 'en' : random.pick(['de', 'fr', 'es'] as const)
  const task = random.pick(tasks[language]).replace('TOPIC', random.pick<string>(topics[language]))
  const length = random.next() < 0.1 ? 'long' : 'short'
  const text =
    length === 'short'
      ? task
      : `${Array.from({ length: 8 + random.integer(10) }, () => random.pick(sentences)).join(' ')}\n\n${task}`
  const system = random.next() < 0.2 ? [{ role: 'system' as const, content: random.pick(personas) }] : []
  const draw = of.mix === 'varied' ? random.next() : 1
  const sampling = draw < 0.05 ? 'greedy' : draw < 0.15 ? 'nucleus' : 'plain'
  const job: Job.Job = {
    schema: 'counterfoil/job/1',
    model: of.model,
    messages: [...system, { role: 'user', content: text }],
    maxTokens: answerTokens,
    samplerSeed: Nonce.samplerSeed(Bytes.toHex(Digest.sha256(Bytes.fromText(`nonce ${of.series} ${of.i}`)))),
    temperature: sampling === 'greedy' ? 0 : sampling === 'nucleus' ? 0.8 : 1,
    topP: sampling === 'nucleus' ? 0.9 : 1,
    stop: [],
    logprobs: false,
    topLogprobs: 0,
  }
  return { job, stratum: { language, length, sampling } }
}
