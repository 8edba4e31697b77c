import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { exitCodes, Failure } from '../Failure.ts'
import * as Home from '../Home.ts'
import { integer } from '../Option.ts'
import * as Params from '../Params.ts'
import { action } from '../Setting.ts'
import type { Terminal } from '../Terminal.ts'

type Options = { readonly follow?: boolean; readonly lines: number }

export function logs(): Command {
  return new Command('logs')
    .description("show the end of the network's logs, or of one of them")
    .argument('[name]', 'one log: gateway, provider-1, chain, postgres, …')
    .option('-f, --follow', 'go on as lines are written')
    .option('-n, --lines <n>', 'how many lines of each', integer(1, 100_000), Params.logLines)
    .action(
      action<Options, [string | undefined]>(async ({ home, terminal }, { follow, lines }, name) => {
        if (follow && terminal.json)
          throw new Failure(
            '--follow never ends, --json is one document',
            'use one of the two',
            exitCodes.usage,
          )
        const dir = Home.paths.logs(home)
        const names = available(dir).filter((one) => name === undefined || one === name)
        if (names.length === 0)
          throw new Failure(
            name === undefined ? `there are no logs in ${dir}` : `there is no log ${name} in ${dir}`,
            name === undefined
              ? 'start a network with: foil up'
              : `take one of: ${available(dir).join(', ') || 'none yet'}`,
          )
        const found = names.map((one) => ({ name: one, path: join(dir, `${one}.log`) }))
        const shown = found.map((one) => ({ ...one, ...tail(one.path, lines) }))
        if (terminal.json) {
          terminal.document({
            logs: shown.map(({ name, path, bytes, lines }) => ({ name, path, bytes, lines })),
          })
          return undefined
        }
        for (const { name: title, lines: text } of shown) {
          if (shown.length > 1) terminal.print(terminal.colors.bold(`==> ${title}`))
          for (const line of text) terminal.print(line)
        }
        if (follow) await watch(terminal, shown)
        return undefined
      }),
    )
}

function available(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
      .filter((file) => file.endsWith('.log'))
      .map((file) => file.slice(0, -'.log'.length))
      .sort()
  } catch {
    return []
  }
}

type Tail = { readonly bytes: number; readonly lines: readonly string[] }

function tail(path: string, lines: number): Tail {
  const { bytes, text } = read(path, -lines * Params.logBytesPerLine)
  const all = text.split('\n')
  if (all.at(-1) === '') all.pop()
  return { bytes, lines: all.slice(-lines) }
}

/** The file from `from` on (negative: from its end); and how long it is. */
function read(path: string, from: number): { readonly bytes: number; readonly text: string } {
  const file = openSync(path, 'r')
  try {
    const bytes = fstatSync(file).size
    const start = from < 0 ? Math.max(0, bytes + from) : Math.min(from, bytes)
    const buffer = Buffer.alloc(bytes - start)
    const length = readSync(file, buffer, 0, buffer.length, start)
    return { bytes: start + length, text: buffer.toString('utf8', 0, length) }
  } finally {
    closeSync(file)
  }
}

/** Looks at each file again and again, because watching is not reliable on every file system; ends with Ctrl-C. */
async function watch(
  terminal: Terminal,
  logs: readonly { readonly name: string; readonly path: string; readonly bytes: number }[],
): Promise<void> {
  const at = new Map(logs.map(({ path, bytes }) => [path, bytes]))
  const ended = new Promise<void>((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve))
  const timer = setInterval(() => {
    for (const { name, path } of logs) {
      const { bytes, text } = read(path, at.get(path) ?? 0)
      // Shorter than before: the log was moved away at a restart, and begins anew.
      at.set(path, bytes < (at.get(path) ?? 0) ? 0 : bytes)
      if (text === '') continue
      const prefix = logs.length > 1 ? `${name}: ` : ''
      terminal.write(text.replaceAll(/^(?=.)/gm, prefix))
    }
  }, Params.logPollMs)
  await ended
  clearInterval(timer)
}
