import type { Transcript } from '@counterfoil/protocol'
import { Command } from 'commander'
import { Failure } from '../Failure.ts'
import * as Home from '../Home.ts'
import * as Missing from '../Missing.ts'
import { integer } from '../Option.ts'
import * as Params from '../Params.ts'
import * as ReceiptSource from '../ReceiptSource.ts'
import { action, type Setting } from '../Setting.ts'
import * as Slip from '../Slip.ts'

export function receipts(): Command {
  const command = new Command('receipts').description('the answers that were kept here').helpCommand(false)
  command
    .command('list', { isDefault: true })
    .description('the newest first: when, from which model, for how much')
    .option('-n, --limit <n>', 'at most so many', integer(1, 1_000_000), Params.receiptsShown)
    .action(action<{ readonly limit: number }, []>(list))
  command
    .command('show')
    .description('one of them: its receipt, its question and its answer')
    .argument('<id>', 'its id, or how it begins')
    .action(action<object, [string]>(show))
  return command
}

async function list({ home, terminal }: Setting, { limit }: { readonly limit: number }): Promise<undefined> {
  const all = Home.transcripts(home)
  const readable = all.flatMap(({ id, transcript }) => (transcript ? [{ id, transcript }] : []))
  const damaged = all.filter(({ transcript }) => transcript === undefined).map(({ id }) => id)
  const startedAt = ({ transcript }: { readonly transcript: Transcript.Transcript }) =>
    transcript.receipt.claim.time.started
  const shown = readable.sort((a, b) => startedAt(b) - startedAt(a)).slice(0, limit)
  const known = { network: Home.findNetwork(home), now: Date.now() }
  const rows = await Promise.all(
    shown.map(async ({ transcript }) => ({
      startedAt: new Date(transcript.receipt.claim.time.started).toISOString(),
      proof: Missing.keptProof(transcript.receipt, known),
      ...(await Slip.of(transcript.receipt, { home })),
    })),
  )
  if (terminal.json) {
    terminal.document({ dir: Home.paths.receipts(home), kept: readable.length, damaged, receipts: rows })
    return undefined
  }
  const { bold, dim, red, yellow } = terminal.colors
  terminal.print(bold(`${readable.length} kept in ${Home.paths.receipts(home)}`))
  for (const { id, startedAt: at, model, usage, finish, amount, proof } of rows)
    terminal.print(
      `  ${id}  ${at.slice(0, 19)}Z  ${model.name ?? model.id}  ${dim(`${usage.promptTokens} in, ${usage.outputTokens} out, ${finish}`)}  ${amount.decimal}${proof === 'missing' ? yellow('  no proof') : ''}`,
    )
  if (rows.some(({ proof }) => proof === 'missing'))
    terminal.print(
      dim(
        '  no proof: nothing kept shows that its batch holds it; foil verify <id> fetches the proof, foil demand <id> makes the provider show it',
      ),
    )
  if (readable.length > rows.length)
    terminal.print(dim(`  and ${readable.length - rows.length} older: foil receipts list -n <n>`))
  for (const id of damaged) terminal.print(red(`  ${id} cannot be read: move it away, or restore it`))
  if (all.length === 0) terminal.print("  nothing yet; ask something with: foil ask 'question'")
  return undefined
}

async function show({ home, terminal }: Setting, _: object, beginning: string): Promise<undefined> {
  const id = ReceiptSource.id(home, beginning)
  const path = Home.paths.receipt(home, id)
  const transcript = Home.transcript(home, id)
  if (!transcript) throw new Failure(`${path} cannot be read as a transcript`, 'move it away, or restore it')
  const slip = await Slip.of(transcript.receipt, { home })
  const { job, output, nonceFrom } = transcript
  const proof = Missing.keptProof(transcript.receipt, { network: Home.findNetwork(home), now: Date.now() })
  if (terminal.json) {
    terminal.document({ receipt: slip, job, output, nonceFrom, proof, transcript: path })
    return undefined
  }
  const { bold, dim } = terminal.colors
  for (const { role, content } of job.messages) say(terminal, bold(role), content)
  for (const { message } of output.choices) say(terminal, bold('answer'), message.content)
  terminal.print()
  Slip.print(terminal, slip)
  if (proof === 'missing')
    terminal.print(
      `  nothing kept shows that its batch holds it: fetch the proof with foil verify ${id}, or make the provider show it with foil demand ${id}`,
    )
  terminal.print(dim(`  kept in ${path}; check it with: foil verify ${id} --offline`))
  return undefined
}

function say(terminal: Setting['terminal'], who: string, content: unknown): void {
  terminal.print(who)
  terminal.write(`${typeof content === 'string' ? content : JSON.stringify(content)}\n`)
}
