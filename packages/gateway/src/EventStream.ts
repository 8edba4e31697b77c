/**
 * Server-sent events (WHATWG HTML, section 9.2) out of the bytes of a provider. Comments, `id` and `retry` are ignored; invalid
 * UTF-8 and an event of more than `eventCharsMax` characters throw {@link EventStreamError}.
 * @example const feed = EventStream.parser(65_536, (event, data) => console.log(event, data))
 */
export function parser(
  eventCharsMax: number,
  onEvent: (event: string, data: string) => void,
): (chunk: Uint8Array) => void {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let pending: string[] = []
  let event = ''
  let data: string[] = []
  let size = 0

  function grow(chars: number): void {
    size += chars
    if (size > eventCharsMax) throw new EventStreamError(`an event has more than ${eventCharsMax} characters`)
  }

  function line(text: string): void {
    if (text === '') {
      if (data.length > 0) onEvent(event === '' ? 'message' : event, data.join('\n'))
      event = ''
      data = []
      size = 0
      return
    }
    const colon = text.indexOf(':')
    if (colon === 0) return
    const name = colon === -1 ? text : text.slice(0, colon)
    const raw = colon === -1 ? '' : text.slice(colon + 1)
    const value = raw.startsWith(' ') ? raw.slice(1) : raw
    if (name === 'event') event = value
    else if (name === 'data') data.push(value)
  }

  return (chunk) => {
    let text: string
    try {
      text = decoder.decode(chunk, { stream: true })
    } catch {
      throw new EventStreamError('its bytes are not UTF-8')
    }
    let from = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      grow(end - from)
      pending.push(text.slice(from, end))
      const whole = pending.join('')
      pending = []
      from = end + 1
      line(whole.endsWith('\r') ? whole.slice(0, -1) : whole)
    }
    grow(text.length - from)
    if (from < text.length) pending.push(text.slice(from))
  }
}

/** What a provider sent is not a stream of events. */
export class EventStreamError extends Error {
  override readonly name = 'EventStreamError'
}
