import { getEventListeners } from 'node:events'
import { connectWallet, noContracts } from '@counterfoil/chain'
import type { Bytes } from '@counterfoil/protocol'
import { expect, test, vi } from 'vitest'
import * as Newcomers from '../src/Newcomers.ts'

// Over doubles of the chain; tests of `foil join` have the real one.

const network = { name: 'test', chainId: 31337, rpc: 'http://127.0.0.1:1', epochSeconds: 600 }
const wallet = connectWallet({ ...network, contracts: noContracts }, `0x${'11'.repeat(32)}`)
const address = (digit: string): Bytes.Hex => `0x${digit.repeat(40)}`

test('a provider whose channel fails is said once, tried again, and holds up nobody behind it', async () => {
  const lines: string[] = []
  const asked: Bytes.Hex[] = []
  let fails = true
  const enough = Promise.withResolvers<void>()
  const mended = Promise.withResolvers<void>()
  const newcomers = Newcomers.watch(wallet, {
    ...{ amount: 7n, pollMs: 1, log: (line: string) => lines.push(line) },
    ports: {
      list: async () => [
        { provider: address('1') },
        { provider: address('2') },
        { provider: address('3'), exitsAt: 5 },
      ],
      channel: async (_, { payee, amount, signer }) => {
        expect([amount, signer]).toEqual([7n, wallet.account.address.toLowerCase()])
        asked.push(payee)
        if (asked.length === 4) enough.resolve()
        if (payee !== address('1')) return
        if (fails) throw new Error('execution reverted\nand much more')
        mended.resolve()
      },
    },
  })
  await enough.promise
  fails = false
  await mended.promise
  await newcomers.stop()
  expect(asked.slice(0, 4)).toEqual([address('1'), address('2'), address('1'), address('1')])
  expect(asked.filter((one) => one === address('2'))).toHaveLength(1)
  expect(asked).not.toContain(address('3'))
  expect(lines).toEqual([
    `no channel could be opened to provider ${address('1')}, which is tried again: execution reverted`,
  ])
})

test('waiting leaves nothing behind', async () => {
  let rounds = 0
  const made = vi.spyOn(globalThis, 'AbortController')
  const enough = Promise.withResolvers<void>()
  const newcomers = Newcomers.watch(wallet, {
    pollMs: 1,
    ports: {
      list: async () => {
        if (++rounds === 20) enough.resolve()
        return []
      },
      channel: async () => undefined,
    },
  })
  const [controller] = made.mock.results.map(({ value }) => value as AbortController)
  made.mockRestore()
  await enough.promise
  if (!controller) throw new Error('no controller')
  expect(getEventListeners(controller.signal, 'abort').length).toBeLessThanOrEqual(1)
  await newcomers.stop()
})
