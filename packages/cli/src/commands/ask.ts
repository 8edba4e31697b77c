import type { Policy, Verdict } from '@counterfoil/protocol'
import { Command } from 'commander'
import * as Connection from '../Connection.ts'
import { exitCodes, Failure } from '../Failure.ts'
import * as Ladder from '../Ladder.ts'
import * as Option from '../Option.ts'
import * as Question from '../Question.ts'
import { action, type Setting } from '../Setting.ts'
import * as Slip from '../Slip.ts'

type Options = {
  readonly model?: string
  readonly maxTokens: number
  readonly temperature?: number
  readonly seed?: number
  readonly least: Verdict.Rung
  readonly maxError?: number
  readonly maxAge?: Policy.Age
  readonly stream: boolean
}

export function ask(): Command {
  return new Command('ask')
    .description('ask one question and check the answer')
    .argument('<question>', 'the question, in quotes')
    .addOption(Option.model())
    .addOption(Option.maxTokens())
    .addOption(Option.temperature())
    .addOption(Option.seed())
    .addOption(Option.least())
    .addOption(Option.maxError())
    .addOption(Option.maxAge())
    .option('--no-stream', 'print the answer only once it was checked')
    .action(action<Options, [string]>(run))
}

async function run(setting: Setting, options: Options, content: string): Promise<undefined> {
  const { home, terminal } = setting
  if (content.trim() === '')
    throw new Failure(
      'the question is empty',
      "write it in quotes: foil ask 'What is the capital of Japan?'",
      exitCodes.usage,
    )
  const connection = Connection.demand(home)
  const question = {
    ...options,
    model: options.model ?? connection.model.name,
    messages: [{ role: 'user', content }] as const,
  }
  const answered = await asked(setting, connection, question)
  const slip = await Slip.of(answered.transcript.receipt, { home, network: connection.network })
  if (terminal.json) {
    terminal.document({
      answer: answered.text,
      receipt: slip,
      report: Ladder.toJson(answered.report),
      transcript: answered.path,
    })
    return undefined
  }
  terminal.print()
  Slip.print(terminal, slip)
  Ladder.print(terminal, answered.report)
  terminal.print(terminal.colors.dim(`  kept in ${answered.path}`))
  return undefined
}

/** Prints the answer as it comes; where it does not meet the policy, the ladder before the error. */
export async function asked(
  { terminal }: Setting,
  connection: Connection.Connection,
  question: Question.Question,
): Promise<Question.Answered> {
  if (question.least !== 'signed') terminal.status(`the answer is held back until ${question.least} holds`)
  try {
    const answered = await Question.ask(connection, question, (text) => terminal.write(text))
    terminal.print()
    return answered
  } catch (error) {
    if (error instanceof Question.NotMetError && error.report) {
      if (terminal.json) terminal.document({ answer: null, report: Ladder.toJson(error.report) })
      terminal.print()
      Ladder.print(terminal, error.report)
    }
    throw error
  }
}
