import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import * as Ports from '../src/Ports.ts'

it('names a taken port when it was demanded, avoids it when it was preferred', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await expect(Ports.demand(port, 'the gateway')).rejects.toThrow(
    new RegExp(`port ${port} on 127.0.0.1, wanted for the gateway, is taken`),
  )
  const other = await Ports.prefer(port)
  expect(other).not.toBe(port)
  await new Promise((resolve) => server.close(resolve))
  expect(await Ports.demand(port, 'the gateway')).toBe(port)
  expect(await Ports.prefer(port)).toBe(port)
})

it('finds a free port', async () => {
  const port = await Ports.free()
  expect(port).toBeGreaterThan(1023)
  expect(await Ports.prefer(undefined)).toBeGreaterThan(1023)
})
