import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import {
  Channels,
  connectWallet,
  deploy,
  Keys,
  Providers,
  RevertedError,
  Roots,
  Stable,
  Time,
  type Wallet,
} from '@counterfoil/chain'
import { Batch, Bytes, Claim, Key, Network, P256, type Receipt, Voucher } from '@counterfoil/protocol'
import { createTestClient, http, type TestClient } from 'viem'
import * as Anvil from './anvil.ts'

/** Longer than any test runs: time goes on only where a test lets it pass. */
export const terms = {
  epochSeconds: 600,
  unbondingSeconds: 20_000,
  closeDelaySeconds: 5_000,
  demands: { answerSeconds: 10_000, windowSeconds: 50_000, bondMicros: 5n },
}

/** A deployment on an anvil of its own, with a provider, a payer and somebody else, who is also the guardian. */
export type Deployed = {
  readonly client: TestClient<'anvil'>
  readonly provider: Wallet
  readonly payer: Wallet
  readonly other: Wallet
  stop(): Promise<void>
}

export async function start(): Promise<Deployed> {
  const anvil = await Anvil.start()
  const other = connectWallet(anvil.network, Anvil.privateKeys[2])
  const network = {
    ...anvil.network,
    epochSeconds: terms.epochSeconds,
    contracts: await deploy(connectWallet(anvil.network, Anvil.privateKeys[0]), {
      ...terms,
      guardian: address(other),
    }),
  }
  return {
    client: createTestClient({ mode: 'anvil', transport: http(network.rpc) }),
    provider: connectWallet(network, Anvil.privateKeys[0]),
    payer: connectWallet(network, Anvil.privateKeys[1]),
    other: connectWallet(network, Anvil.privateKeys[2]),
    stop: anvil.stop,
  }
}

export function address(wallet: Wallet): Bytes.Hex {
  return wallet.account.address.toLowerCase() as Bytes.Hex
}

export function digest(text: string): Bytes.Hex {
  return `0x${createHash('sha256').update(text).digest('hex')}`
}

/** Chain time goes on, in blocks that also finalize what came before. */
export async function pass({ client }: Deployed, seconds: number): Promise<void> {
  await client.increaseTime({ seconds })
  await client.mine({ blocks: 3 })
}

/** The custom error that work ends with. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof RevertedError) return error.errorName
  throw new Error(`expected a revert, got ${String(error)}`)
}

export async function supply(wallet: Wallet, spender: Bytes.Hex, amount: bigint): Promise<void> {
  await Stable.mint(wallet, { to: address(wallet), amount })
  await Stable.approve(wallet, { spender, amount })
}

/** A registered provider's receipt key: its id, and what signs claims. */
export type Signer = { readonly keyId: Bytes.Hex; readonly privateKey: KeyObject }

/** Registers the wallet's account as a provider unless it is one, and a receipt key made by node:crypto. */
export async function enroll(wallet: Wallet): Promise<Signer> {
  if ((await Providers.read(wallet, address(wallet))) === undefined) {
    await supply(wallet, wallet.network.contracts.providers, 1_000n)
    await Providers.register(wallet, { endpoint: 'http://127.0.0.1:4000', stake: 1_000n })
  }
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const point = Bytes.concat(Uint8Array.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url'))
  const notBefore = Number(await Time.now(wallet)) - 10
  const validity = { notBefore, notAfter: notBefore + 100_000 }
  const domain = Network.domain(wallet.network)
  const message = Key.possession({ domain, provider: address(wallet), ...validity })
  const signature = signBytes(createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })), message)
  await Keys.add(wallet, { publicKey: Bytes.toHex(point), ...validity, signature })
  return { keyId: Key.id(Bytes.toHex(point)), privateKey }
}

function signBytes(key: KeyObject, message: Uint8Array): Bytes.Hex {
  return Bytes.toHex(P256.toLowS(sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' })))
}

/** A claim about nothing in particular, signed by the key. */
export function receipt(
  wallet: Wallet,
  { keyId, privateKey }: Signer,
  fields: Partial<Claim.Claim> & Pick<Claim.Claim, 'sequence' | 'epoch'>,
): Receipt.Receipt {
  const claim: Claim.Claim = {
    domain: Network.domain(wallet.network),
    provider: address(wallet),
    keyId,
    model: digest('model'),
    runtime: digest('runtime'),
    offer: digest('offer'),
    request: digest(`request ${fields.sequence}`),
    answer: digest('answer'),
    trace: digest('trace'),
    usage: { promptTokens: 9, cachedTokens: 0, outputTokens: 4 },
    finish: 'stop',
    channel: digest('channel'),
    amount: 7n,
    time: { started: 1_000, firstToken: 1_100, ended: 1_900 },
    parents: Bytes.zero32,
    evidence: Bytes.zero32,
    ...fields,
  }
  return { claim, signature: signBytes(privateKey, Claim.encode(claim)), evidence: [] }
}

/** Posts a root over these claims, `first` on, for an epoch that is over. */
export async function post(
  wallet: Wallet,
  { keyId }: Signer,
  epoch: bigint,
  first: bigint,
  leaves: readonly Bytes.Hex[],
): Promise<void> {
  await Roots.post(wallet, {
    keyId,
    epoch,
    root: Batch.root(leaves),
    first,
    end: first + BigInt(leaves.length),
  })
}

/** A channel of the payer to the provider, with the payer's own key as signer. */
export async function open(
  { payer, provider }: Deployed,
  amount: bigint,
  salt?: Bytes.Hex,
): Promise<Bytes.Hex> {
  await supply(payer, payer.network.contracts.channels, amount)
  const signer = address(payer)
  return Channels.open(payer, { payee: address(provider), signer, amount, ...(salt && { salt }) })
}

/** The payer's voucher. */
export function vouch({ payer }: Deployed, voucher: Voucher.Voucher): Voucher.SignedVoucher {
  return Voucher.sign(voucher, Network.eip712(payer.network), Bytes.fromHex(Anvil.privateKeys[1]))
}
