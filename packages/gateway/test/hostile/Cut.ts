import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** How a provider vanishes: its connection is reset, ends in good order, or ends what has no other mark of its end. */
export type Manner = 'reset' | 'end' | 'end without length'

/** Stands before a provider and lets only so many bytes of each answer to a job through. */
export type Cut = {
  readonly url: string
  /** What is done with the next answers to jobs; undefined lets all through. */
  at: { readonly bytes: number; readonly manner: Manner } | undefined
  /** Answers jobs in the provider's place. */
  instead: ((socket: Socket) => void) | undefined
  /** The last whole answer to a job, as it would have gone through. */
  last: Buffer
  close(): Promise<void>
}

export async function create(target: string): Promise<Cut> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    let job: Buffer[] | undefined
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
    near.on('data', (chunk: Buffer) => {
      if (chunk.subarray(0, 13).toString('latin1') === 'POST /v1/jobs') {
        if (self.instead) return self.instead(near)
        job = []
      }
      far.write(chunk)
    })
    far.on('data', (chunk: Buffer) => {
      if (!job) return void near.write(chunk)
      job.push(chunk)
      const whole = Buffer.concat(job)
      // Where it is cut the provider has done all its work, and signed: what is lost is lost on the way.
      if (!isWhole(whole)) return
      job = undefined
      self.last = self.at?.manner === 'end without length' ? withoutLength(whole) : whole
      if (!self.at) return void near.write(self.last)
      vanish(near, self.last.subarray(0, self.at.bytes), self.at.manner)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const self: Cut = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    at: undefined,
    instead: undefined,
    last: Buffer.alloc(0),
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
  return self
}

/** Where each event of an answer ends. */
export function boundaries(answer: Buffer): readonly number[] {
  const found = [answer.indexOf('\r\n\r\n') + 4]
  for (let at = answer.indexOf('\n\n'); at !== -1; at = answer.indexOf('\n\n', at + 2)) found.push(at + 2)
  return [...found, answer.length]
}

function isWhole(answer: Buffer): boolean {
  return answer.subarray(-5).toString('latin1') === '0\r\n\r\n'
}

/** The same answer with `connection: close` in the place of chunks: only the connection's end says that it is over. */
function withoutLength(answer: Buffer): Buffer {
  const pieces: Buffer[] = []
  let at = answer.indexOf('\r\n\r\n') + 4
  for (;;) {
    const lineEnd = answer.indexOf('\r\n', at)
    const size = Number.parseInt(answer.subarray(at, lineEnd).toString('latin1'), 16)
    if (size === 0) break
    pieces.push(answer.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n'
  return Buffer.concat([Buffer.from(head), ...pieces])
}

function vanish(socket: Socket, bytes: Buffer, manner: Manner): void {
  if (manner === 'reset') socket.write(bytes, () => socket.resetAndDestroy())
  else socket.end(bytes)
}
