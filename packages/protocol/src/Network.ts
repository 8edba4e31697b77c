import type * as Bytes from './Bytes.ts'
import * as Claim from './Claim.ts'
import * as Decode from './Decode.ts'
import type * as Eip712 from './Eip712.ts'
import * as Params from './Params.ts'

const read = Decode.object({
  name: Decode.text(Params.textCharsMax),
  chainId: Decode.integer(1, Number.MAX_SAFE_INTEGER),
  rpc: Decode.text(Params.textCharsMax),
  epochSeconds: Decode.integer(1, 86_400),
  contracts: Decode.object({
    providers: Decode.address,
    models: Decode.address,
    channels: Decode.address,
    commitments: Decode.address,
    audits: Decode.address,
    stable: Decode.address,
  }),
})

/** Which network: its chain, a way to reach it, and its contracts. What a client must know beforehand to check anything. */
export type Network = ReturnType<typeof read>

export function fromJson(value: unknown): Network {
  return read(value, '$')
}

/** The claims' first word on this network. */
export function domain(network: Network): Bytes.Hex {
  return Claim.domain(network.chainId, network.contracts.providers)
}

export function eip712(network: Network): Eip712.Domain {
  return { chainId: network.chainId, channels: network.contracts.channels }
}
