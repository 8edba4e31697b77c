import pc from 'picocolors'
import type { Failure } from './Failure.ts'
import * as Params from './Params.ts'

type Stream = NodeJS.WriteStream

/** Where a command speaks: results on standard output, what happens meanwhile on standard error. */
export type Terminal = {
  readonly json: boolean
  /** A person watches: lines may move. */
  readonly live: boolean
  readonly colors: ReturnType<typeof pc.createColors>
  /** Colours for standard error. */
  readonly dim: (text: string) => string
  /** Text that a model or a log wrote, without its control characters; nothing where JSON is asked for. */
  write(text: string): void
  print(line?: string): void
  /** A line about what happens. */
  note(line: string): void
  /** The moving line; undefined takes it away. Only where a person watches. */
  status(line: string | undefined): void
  /** The one JSON document of a command. */
  document(value: unknown): void
  /** Two lines on standard error; where JSON is asked for and no document was written, the document says it too. */
  fail(failure: Failure): void
}

// A process may make several terminals: whoever fails may hold another than the command that wrote its document.
const documented = new WeakSet<Stream>()
const heard = new WeakSet<Stream>()

/** Plain where there is no terminal, where NO_COLOR is set, or with --no-color. */
export function create(options: {
  readonly json: boolean
  readonly color: boolean
  readonly stdout?: Stream
  readonly stderr?: Stream
}): Terminal {
  const { json, color, stdout = process.stdout, stderr = process.stderr } = options
  const colors = pc.createColors(color && stdout.isTTY === true && !json)
  const errorColors = pc.createColors(color && stderr.isTTY === true)
  const live = stderr.isTTY === true && color
  let moving = false
  let movedAt = 0
  const clear = () => {
    if (moving) stderr.write('\r\u001b[K')
    moving = false
  }
  // Who reads us may leave (`foil logs | head`): that is no failure.
  for (const stream of [stdout, stderr]) {
    if (heard.has(stream)) continue
    heard.add(stream)
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      throw error
    })
  }
  function document(value: unknown): void {
    documented.add(stdout)
    stdout.write(`${JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}` : one), 2)}\n`)
  }
  return {
    json,
    live,
    colors,
    dim: errorColors.dim,
    write(text) {
      if (json) return
      clear()
      stdout.write(harmless(text))
    },
    print(line = '') {
      if (json) return
      clear()
      stdout.write(`${line}\n`)
    },
    note(line) {
      clear()
      stderr.write(`${line}\n`)
    },
    status(line) {
      if (!live) return
      if (line === undefined) return clear()
      const now = performance.now()
      if (moving && now - movedAt < Params.statusIntervalMs) return
      movedAt = now
      stderr.write(`\r\u001b[K${errorColors.dim(line.slice(0, (stderr.columns || 80) - 1))}`)
      moving = true
    },
    document,
    fail({ message, fix, exitCode }) {
      clear()
      if (json && !documented.has(stdout)) document({ error: { message, fix, exitCode } })
      // Two lines, whatever the cause looks like: scripts and people find the fix in the second.
      const cause = harmless(message).replaceAll(/\s*\n\s*/g, ' | ')
      stderr.write(`${errorColors.red('foil:')} ${cause}\n  ${errorColors.bold('fix:')} ${fix}\n`)
    },
  }
}

/** Whoever writes an answer must not move the cursor, set a title or fill the clipboard: only line feeds and tabs stay. */
function harmless(text: string): string {
  return text.replaceAll(/(?![\n\t])\p{Cc}/gu, '')
}
