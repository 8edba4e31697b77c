import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A client that keeps no rules. */
export type Raw = {
  readonly socket: Socket
  /** All that has come. */
  text(): string
  /** Resolves when `pattern` has come; rejects when the connection ends without. */
  until(pattern: RegExp): Promise<string>
  /** Resolves with all that came, when the server has closed. */
  closed(): Promise<string>
}

export async function open(url: string, first = ''): Promise<Raw> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  let text = ''
  let isClosed = false
  const changed = new EventTarget()
  socket.setEncoding('latin1')
  socket.on('data', (chunk) => {
    text += chunk
    changed.dispatchEvent(new Event('change'))
  })
  for (const event of ['end', 'close'])
    socket.on(event, () => {
      isClosed = true
      changed.dispatchEvent(new Event('change'))
    })
  socket.on('error', () => {})
  await once(socket, 'connect')
  if (first !== '') socket.write(first, 'latin1')
  const next = () => new Promise((resolve) => changed.addEventListener('change', resolve, { once: true }))
  return {
    socket,
    text: () => text,
    async until(pattern) {
      while (!pattern.test(text)) {
        if (isClosed) throw new Error(`the connection ended after ${JSON.stringify(text.slice(0, 500))}`)
        await next()
      }
      return text
    },
    async closed() {
      while (!isClosed) await next()
      socket.destroy()
      return text
    },
  }
}
