import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { Agent, createServer, request as open } from 'node:http'
import type { AddressInfo } from 'node:net'

// node plainProxyChild.ts UPSTREAM
// The least that a gateway with receipts could do: forward the body, hand the answer back, sign 512 bytes with P-256.

const upstream = process.argv[2] ?? ''
const agent = new Agent({ keepAlive: true, maxSockets: 128 })
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const key = createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }))
const message = Buffer.alloc(512, 7)
const signature = () => sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }).toString('hex')

const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  const body: Buffer[] = []
  request.on('data', (chunk: Buffer) => body.push(chunk))
  request.on('end', () => {
    const bytes = Buffer.concat(body)
    const headers = { 'content-type': 'application/json', 'content-length': bytes.length }
    const forwarded = open(upstream + (request.url ?? ''), { method: 'POST', agent, headers }, (answer) => {
      const type = answer.headers['content-type'] ?? ''
      if (type === 'text/event-stream') {
        response.writeHead(200, { 'content-type': type })
        answer.on('data', (chunk: Buffer) => response.write(chunk))
        answer.on('end', () => response.end(`: ${signature()}\n\n`))
        return
      }
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => {
        const whole = Buffer.concat(chunks)
        response.writeHead(200, {
          'content-type': type,
          'content-length': whole.length,
          'x-signature': signature(),
        })
        response.end(whole)
      })
    })
    forwarded.on('error', () => response.destroy())
    forwarded.end(bytes)
  })
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
process.send?.({ ready: true, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
