import { join } from 'node:path'
import { Bytes, Statistic } from '@counterfoil/protocol'
import type { Asker, Behaviour } from './Behaviour.ts'
import * as Journal from './Journal.ts'
import type { Lab } from './Lab.ts'
import * as Prompts from './Prompts.ts'
import * as Recording from './Recording.ts'
import * as Reference from './Reference.ts'

/**
 * Records a behaviour up to `tokens` tokens in all, going on where an earlier run ended, and returns the recording.
 * @example Recording.write(await Recorder.record(lab, Honest.same, { tokens: 25_000, machine: 'AMD EPYC', log: console.error }))
 */
export async function record(
  lab: Lab,
  behaviour: Behaviour,
  options: {
    readonly tokens: number
    readonly machine: string
    readonly log: (line: string) => void
    /** Answers in flight, so that one is written while others are scored; then no time is taken. By default one. */
    readonly workers?: number
    /** First job's number, for a second recorder of the same behaviour beside the first; both write to one journal. */
    readonly from?: number
  },
): Promise<Recording.Recording> {
  await using provider = await behaviour.open(lab)
  await using reference = await Reference.open(lab, behaviour.reference ?? 'default')
  await using asker = (await behaviour.openAsker?.(lab)) ?? mix(lab, behaviour)
  const circumstances: Recording.Circumstances = {
    name: behaviour.name,
    kind: behaviour.kind,
    title: behaviour.title,
    model: lab.model,
    series: behaviour.series ?? behaviour.name,
    mix: behaviour.mix,
    machine: options.machine,
    parallel: behaviour.parallel ?? 1,
    runtime: provider.runtime,
    references: reference.runtimes,
  }
  let journal = Journal.open(join(lab.dir, 'journal', `${behaviour.name}.jsonl`), circumstances)
  let tokens = journal.entries.reduce((sum, entry) => sum + tokensOf(entry), 0)
  let next = journal.entries.reduce((most, entry) => Math.max(most, entry.i + 1), options.from ?? 0)
  const workers = (behaviour.parallel ?? 1) * (options.workers ?? 1)
  const time = (ms: number) => (workers > 1 ? 0 : Math.round(ms))
  const work = async () => {
    while (tokens < options.tokens) {
      const i = next
      next += 1
      const { job, stratum } = await asker.ask(i)
      const began = performance.now()
      const trace = await provider.answer(job)
      const generateMs = performance.now() - began
      const audit = await reference.audit(job, trace)
      journal = Journal.append(journal, {
        i,
        stratum,
        promptTokens: audit.promptTokens,
        statistics: Bytes.toHex(Statistic.encode(audit.statistics)).slice(2),
        isScoredTwice: audit.secondMs > 0,
        generateMs: time(generateMs),
        firstMs: time(audit.firstMs),
        secondMs: time(audit.secondMs),
      })
      tokens += trace.length
      if (journal.entries.length % 5 === 0)
        options.log(
          `${behaviour.name}: ${Math.min(100, Math.floor((100 * tokens) / options.tokens))} %, ${tokens} tokens`,
        )
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  return Recording.from(circumstances, journal.entries)
}

function mix(lab: Lab, behaviour: Behaviour): Asker {
  const series = behaviour.series ?? behaviour.name
  return {
    ask: async (i) => Prompts.ask({ series, i, mix: behaviour.mix, model: lab.model }),
    [Symbol.asyncDispose]: async () => {},
  }
}

function tokensOf(entry: Journal.Entry): number {
  return entry.statistics.length / 2 / 8
}
