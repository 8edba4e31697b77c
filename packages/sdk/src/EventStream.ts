import * as Params from './Params.ts'

/** One server-sent event: its data lines joined, or a comment. */
export type Event = { readonly data: string } | { readonly comment: string }

/**
 * The events of a `text/event-stream` body (WHATWG HTML 9.2.6: lines end in LF, CR or CRLF). Names and ids are left out:
 * chat completions have none, and a reader that minds them must not see another stream than the one that was checked.
 * @throws {RangeError} at an event that is too long.
 */
export async function* parse(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Event, void> {
  let data: string[] = []
  let length = 0
  for await (const line of lines(chunks)) {
    if (line === '') {
      if (data.length > 0) yield { data: data.join('\n') }
      data = []
      length = 0
    } else if (line.startsWith(':')) yield { comment: line.slice(1) }
    else if (line.startsWith('data:')) {
      data.push(line.slice(line[5] === ' ' ? 6 : 5))
      length += line.length
      if (length > Params.answerBytesMax)
        throw new RangeError(`an event is longer than ${Params.answerBytesMax} characters`)
    }
  }
  // The standard drops an event without its blank line; clients do not, so it counts.
  if (data.length > 0) yield { data: data.join('\n') }
}

async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  // The line that has not ended yet, in pieces: joined once, so that a long line in small chunks costs no more than its length.
  let pieces: string[] = []
  let length = 0
  let afterReturn = false
  const cut = function* (text: string): Generator<string, void> {
    // A LF behind a CR belongs to it, even where a chunk ends between the two.
    const rest = afterReturn && text.startsWith('\n') ? text.slice(1) : text
    if (text !== '') afterReturn = text.endsWith('\r')
    const parts = rest.split(/\r\n|\n|\r/)
    const last = parts.pop() ?? ''
    for (const part of parts) {
      yield pieces.length > 0 ? [...pieces, part].join('') : part
      pieces = []
      length = 0
    }
    if (last === '') return
    pieces.push(last)
    length += last.length
    if (length > Params.answerBytesMax)
      throw new RangeError(`a line is longer than ${Params.answerBytesMax} characters`)
  }
  for await (const chunk of chunks) yield* cut(decoder.decode(chunk, { stream: true }))
  yield* cut(decoder.decode())
  if (pieces.length > 0) yield pieces.join('')
}

export function encode(event: Event): string {
  return 'comment' in event ? `:${event.comment}\n\n` : `data: ${event.data}\n\n`
}
