import type { ServerResponse } from 'node:http'
import * as Params from '../Params.ts'

export type Gone = 'disconnected' | 'stalled'

/** Server-sent events (WHATWG HTML, 9.2) to one client, who may be slow or gone. */
export class EventStream {
  readonly #response: ServerResponse
  readonly #onGone: (why: Gone) => void
  #stall: NodeJS.Timeout | undefined
  #gone = false

  /**
   * Sends status and headers. `onGone` is called once: when the client leaves before the end, or takes nothing for
   * `streamStallMs`, or lets more than `streamBufferBytesMax` pile up; in the last two cases it is cut off.
   */
  constructor(
    response: ServerResponse,
    headers: Readonly<Record<string, string>>,
    onGone: (why: Gone) => void,
  ) {
    this.#response = response
    this.#onGone = onGone
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      ...headers,
    })
    response.flushHeaders()
    response.socket?.setNoDelay(true)
    response.on('drain', () => this.#calm())
    response.on('finish', () => this.#calm())
    response.on('close', () => {
      if (!response.writableFinished) this.#leave('disconnected')
      this.#calm()
    })
    if (response.destroyed) this.#leave('disconnected')
  }

  get isOpen(): boolean {
    return !this.#gone && !this.#response.writableEnded
  }

  /**
   * Hands an event over; false when there is nobody to hand it to, or when it was the one too many for a slow reader.
   * `onWritten` is called once it has left this process: what still waits here when a client is cut off never does.
   */
  send(event: string, data: unknown, onWritten: () => void = () => {}): boolean {
    if (!this.isOpen) return false
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
    const taken = this.#response.write(text, (error) => {
      if (!error) onWritten()
    })
    if (!taken) this.#watch()
    if (this.#response.writableLength > Params.streamBufferBytesMax) this.#leave('stalled')
    return !this.#gone
  }

  /** The last event. It may be large, so it waits for the reader as long as the reader keeps reading: the door looks after that. */
  end(event: string, data: unknown): void {
    if (!this.isOpen) return
    this.#calm()
    this.#response.end(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  #watch(): void {
    this.#stall ??= setTimeout(() => this.#leave('stalled'), Params.streamStallMs)
  }

  #calm(): void {
    clearTimeout(this.#stall)
    this.#stall = undefined
  }

  #leave(why: Gone): void {
    this.#calm()
    if (this.#gone) return
    this.#gone = true
    this.#onGone(why)
    this.#response.destroy()
  }
}
