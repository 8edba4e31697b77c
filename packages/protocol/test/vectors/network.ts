import { Network } from '../../src/index.ts'
import * as Example from '../Example.ts'
import { type Case, invalidJson, type Vectors } from './Vectors.ts'

const honest = {
  name: 'testnet',
  chainId: Example.chainId,
  rpc: 'http://127.0.0.1:8545',
  epochSeconds: 5,
  contracts: {
    providers: Example.providers,
    models: `0x${'02'.repeat(20)}`,
    channels: Example.channels,
    commitments: `0x${'04'.repeat(20)}`,
    audits: `0x${'06'.repeat(20)}`,
    stable: `0x${'05'.repeat(20)}`,
  },
}

function valid(name: string, change: Readonly<Record<string, unknown>>): Case {
  const network = Network.fromJson({ ...honest, ...change })
  return { name, network, domain: Network.domain(network), eip712: Network.eip712(network) }
}

export const network: Vectors = {
  valid: [
    valid('a development network', {}),
    valid('another chain', { name: 'prod', chainId: 8453, epochSeconds: 600 }),
    valid('the least of each', { name: '', rpc: '', chainId: 1, epochSeconds: 1 }),
    valid('longest epoch', { chainId: Number.MAX_SAFE_INTEGER, epochSeconds: 86_400 }),
  ],
  invalid: invalidJson(honest, [
    ['chain 0', ['chainId'], 0, 'range', '$.chainId'],
    ['a chain as text', ['chainId'], '1', 'type', '$.chainId'],
    ['epochs without length', ['epochSeconds'], 0, 'range', '$.epochSeconds'],
    ['epochs above a day', ['epochSeconds'], 86_401, 'range', '$.epochSeconds'],
    ['a contract left out', ['contracts', 'models'], undefined, 'missing', '$.contracts.models'],
    ['a contract unknown', ['contracts', 'bridge'], Example.providers, 'unknown-field', '$.contracts.bridge'],
    [
      'an address with a checksum',
      ['contracts', 'stable'],
      '0x5FbDB2315678afecb367f032d93F642f64180aa3',
      'hex',
      '$.contracts.stable',
    ],
  ]),
}
