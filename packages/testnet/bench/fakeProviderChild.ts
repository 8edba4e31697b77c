import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, Time } from '@counterfoil/chain'
import { defaultModel } from '@counterfoil/models'
import { type Bytes, Network } from '@counterfoil/protocol'
import * as Secrets from '../src/Secrets.ts'
import * as FakeAnswer from './FakeAnswer.ts'
import * as FakeProvider from './FakeProvider.ts'

// node fakeProviderChild.ts NETWORK_FILE KEYS PROVIDER CHANNEL MODEL DEPOSIT PORT

const [networkFile = '', keys = '', provider, channel, model, deposit = '0', port] = process.argv.slice(
  2,
) as [string, string, Bytes.Hex, Bytes.Hex, Bytes.Hex, string, string]
const network = Network.fromJson(JSON.parse(readFileSync(networkFile, 'utf8')))
const chainAhead = Number(await Time.now(connect(network))) - performance.now() / 1000
const server = FakeProvider.create({
  seat: FakeAnswer.seat({
    ...{ provider, model, domain: Network.domain(network) },
    key: Secrets.receiptKey(keys, 'provider'),
  }),
  manifest: defaultModel.manifest,
  channel,
  deposit: BigInt(deposit),
  epochSeconds: network.epochSeconds,
  seconds: () => Math.floor(performance.now() / 1000 + chainAhead),
})
server.listen(Number(port), '127.0.0.1')
await once(server, 'listening')
process.send?.({ ready: true, url: `http://127.0.0.1:${port}` })
