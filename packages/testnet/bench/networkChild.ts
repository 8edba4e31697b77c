import * as Testnet from '../src/Testnet.ts'

// node networkChild.ts HOME STORE
// A network in a process of its own, as `npm start` has it: says how long each step took, and runs until it is told to end.

const [home = '', storeDir = ''] = process.argv.slice(2)
const begun = new Map<string, number>()
const steps: Record<string, number> = {}
const testnet = await Testnet.up({
  home,
  storeDir,
  onProgress: ({ step, state }) => {
    const now = performance.now()
    if (state === 'begin') begun.set(step, now)
    if (state === 'done') steps[step] = (now - (begun.get(step) ?? now)) / 1000
  },
})
process.once('SIGTERM', () => {
  void testnet.stop().then(() => process.exit(0))
})
const { url, apiKey } = testnet
process.send?.({ url, apiKey, steps, pids: { ...testnet.pids(), supervisor: process.pid } })
