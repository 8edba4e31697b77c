import { createInterface } from 'node:readline'
import { isCancel, text } from '@clack/prompts'
import type { Verdict } from '@counterfoil/protocol'
import { Command } from 'commander'
import * as Connection from '../Connection.ts'
import { type ExitCode, exitCodes, explain, Failure } from '../Failure.ts'
import * as Ladder from '../Ladder.ts'
import * as Option from '../Option.ts'
import * as Question from '../Question.ts'
import { action, type Setting } from '../Setting.ts'
import { decimal } from '../Slip.ts'

type Options = {
  readonly model?: string
  readonly maxTokens: number
  readonly temperature?: number
  readonly least: Verdict.Rung
}

export function chat(): Command {
  return new Command('chat')
    .description('talk with a model; each answer is checked before it counts')
    .addOption(Option.model())
    .addOption(Option.maxTokens())
    .addOption(Option.temperature())
    .addOption(Option.least())
    .action(action<Options, []>(run))
}

async function run(setting: Setting, options: Options): Promise<ExitCode> {
  const { home, terminal } = setting
  if (terminal.json)
    throw new Failure('a conversation is not one JSON document', 'use: foil ask --json', exitCodes.usage)
  const connection = Connection.demand(home)
  const model = options.model ?? connection.model.name
  terminal.note(terminal.dim(`${model}; an empty line, Ctrl-C or Ctrl-D ends the conversation`))
  const messages: Question.Message[] = []
  let code: ExitCode = exitCodes.ok
  for await (const content of questions()) {
    const asked = [...messages, { role: 'user' as const, content }]
    try {
      const answered = await Question.ask(
        connection,
        { ...options, model, messages: asked, stream: true },
        (piece) => terminal.write(piece),
      )
      messages.push(...asked.slice(-1), { role: 'assistant', content: answered.text })
      const { amount } = answered.transcript.receipt.claim
      terminal.print()
      terminal.print(
        `${Ladder.line(terminal, answered.report)} ${terminal.colors.dim(`· ${decimal(amount)}`)}`,
      )
    } catch (error) {
      // The conversation goes on as if this had not been asked.
      const failure = explain(error, setting)
      terminal.print()
      if (error instanceof Question.NotMetError && error.report)
        terminal.print(Ladder.line(terminal, error.report))
      terminal.fail(failure)
      code = failure.exitCode
    }
  }
  return code
}

/** What a person types, or the lines of standard input where nobody types. */
async function* questions(): AsyncGenerator<string, void> {
  if (!process.stdin.isTTY) {
    for await (const line of createInterface({ input: process.stdin })) {
      if (line.trim() === '') return
      yield line
    }
    return
  }
  while (true) {
    const content = await text({ message: 'you' })
    if (isCancel(content) || !content || content.trim() === '') return
    yield content
  }
}
