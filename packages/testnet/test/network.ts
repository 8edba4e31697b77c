// A network in a process of its own, for tests that kill that process: prints the process ids once it is up.
import * as Testnet from '../src/Testnet.ts'

const [home, storeDir] = process.argv.slice(2)
if (home === undefined || storeDir === undefined) throw new Error('usage: network.ts HOME STORE')
const testnet = await Testnet.up({ home, storeDir })
process.stdout.write(
  `${JSON.stringify({ pids: testnet.pids(), url: testnet.url, apiKey: testnet.apiKey })}\n`,
)
