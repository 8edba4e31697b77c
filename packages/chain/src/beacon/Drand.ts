import { Bytes, Decode, Digest } from '@counterfoil/protocol'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import * as Params from '../Params.ts'
import { type Beacon, BeaconError } from './Beacon.ts'

/** drand's quicknet, run by the League of Entropy: unchained, a round every 3 s, signatures on G1 (RFC 9380). */
export const quicknet = {
  chain: '52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971',
  publicKey:
    '0x83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a',
  genesisSeconds: 1_692_803_367,
  periodSeconds: 3,
} as const

const separation = 'BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_'
const readRound = Decode.object({
  round: Decode.integer(1, Number.MAX_SAFE_INTEGER),
  randomness: plainHex(32),
  signature: plainHex(48),
})

export type Options = {
  /** Relays to ask, in order: `https://api.drand.sh`. None is believed, each answer is checked. */
  readonly relays: readonly string[]
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
  readonly fetch?: typeof fetch
}

/**
 * The randomness of the first quicknet round that is due `drandDelaySeconds` or more after the commitment: longer than
 * the chains we run on take to make a block final.
 * @example const beacon = Drand.create({ relays: ['https://api.drand.sh'], now: Date.now })
 */
export function create(options: Options): Beacon {
  return {
    kind: 'drand-quicknet',
    async of({ time }) {
      const round = roundAt(time + Params.drandDelaySeconds)
      if (options.now() < 1000 * dueAt(round)) return undefined
      const failures: string[] = []
      for (const relay of options.relays) {
        try {
          return await ask(relay, round, options.fetch ?? fetch)
        } catch (error) {
          failures.push(`${relay}: ${error instanceof Error ? error.message : error}`)
        }
      }
      throw new BeaconError(
        'drand-quicknet',
        `no relay gave round ${round}; ${failures.join('; ') || 'none is named'}`,
      )
    },
  }
}

/** The first round that is due at this second or later. */
export function roundAt(seconds: number): number {
  return Math.max(1, Math.ceil((seconds - quicknet.genesisSeconds) / quicknet.periodSeconds) + 1)
}

/** The second at which a round is signed. */
export function dueAt(round: number): number {
  return quicknet.genesisSeconds + (round - 1) * quicknet.periodSeconds
}

/** Whether a round's signature (48 bytes on G1) is one of the group's key over `sha256(round u64)`. */
export function isSigned(round: number, signature: Bytes.Hex): boolean {
  const bls = bls12_381.shortSignatures
  const message = Digest.sha256(Bytes.fromBigInt(BigInt(round), 8))
  try {
    return bls.verify(
      Bytes.fromHex(signature),
      bls.hash(message, separation),
      Bytes.fromHex(quicknet.publicKey),
    )
  } catch {
    // Not a point of the curve.
    return false
  }
}

async function ask(relay: string, round: number, send: typeof fetch): Promise<Bytes.Hex> {
  const response = await send(`${relay}/${quicknet.chain}/public/${round}`, {
    signal: AbortSignal.timeout(Params.relayTimeoutMs),
    headers: { accept: 'application/json' },
  })
  if (!response.ok) throw new Error(`status ${response.status}`)
  const found = readRound(JSON.parse(await textOf(response)), '$')
  if (found.round !== round) throw new Error(`it sent round ${found.round}`)
  if (!isSigned(round, found.signature)) throw new Error('its signature does not check')
  return Bytes.toHex(Digest.sha256(Bytes.fromHex(found.signature)))
}

/** A relay is nobody that is trusted: what it sends beyond a round is not read. */
async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  const reader = response.body?.getReader()
  let text = ''
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    text += decoder.decode(next.value, { stream: true })
    if (text.length <= Params.relayAnswerCharsMax) continue
    await reader?.cancel()
    throw new Error(`an answer of more than ${Params.relayAnswerCharsMax} characters`)
  }
  return text
}

/** drand writes bytes without `0x`. */
function plainHex(bytes: number): Decode.Reader<Bytes.Hex> {
  const read = Decode.hex(bytes)
  // A template would make one text of a list with the same digits.
  return (value, at) => read(typeof value === 'string' ? `0x${value}` : value, at)
}
