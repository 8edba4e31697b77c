import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { Refusal } from '@counterfoil/protocol'
import * as Http from './Http.ts'
import * as Params from './Params.ts'

/** What is no request, or asks for what HTTP allows nobody to promise, is answered in OpenAI's shape like everything else. */
export function attach(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
    const [status, refusal] = refusalOf(error.code)
    const body = JSON.stringify(Refusal.toOpenAi(refusal))
    socket.end(
      `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    )
  })
  // Node's own answer to an expectation other than 100-continue has no body.
  server.on('checkExpectation', (_, response) => {
    Http.sendRefusal(
      response,
      Refusal.of('invalid_value', 'Expect can only be 100-continue; leave it out.', 'expect'),
    )
  })
}

function refusalOf(code: string | undefined): readonly [string, Refusal.Refusal] {
  if (code === 'HPE_HEADER_OVERFLOW')
    return [
      '431 Request Header Fields Too Large',
      Refusal.of('invalid_value', `The headers have more than ${Params.headerBytesMax} bytes.`),
    ]
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return ['408 Request Timeout', Refusal.of('invalid_value', 'The request did not arrive in time.')]
  return ['400 Bad Request', Refusal.of('invalid_value', 'This is not HTTP/1.1.')]
}
