import {
  Batch,
  Claim,
  type Inputs,
  Key,
  type P256,
  p256Noble,
  type Receipt,
  verify,
} from '@counterfoil/protocol'
import { webCryptoP256 } from '@counterfoil/sdk'
import * as P256Node from '../../gateway/src/P256Node.ts'
import * as FakeTranscript from './FakeTranscript.ts'
import * as Params from './Params.ts'
import * as Rounds from './Rounds.ts'
import * as Row from './Row.ts'

/**
 * `verify` of one receipt with everything there is: job, output, salts, a trace of 50 tokens, the offer, the key and the
 * batch it stands in. Two P-256 signatures, the claim's and the offer's; nothing but a parsed key is cached. Per second of
 * processor time of one process, so that what else the machine does hardly counts.
 */
export async function run(mode: Params.Mode): Promise<readonly Row.Row[]> {
  const { receipt, inputs } = sample()
  const arm = (p256: P256.P256) => () => verifications(receipt, { ...inputs, p256 }, mode.verify.cpuSeconds)
  const samples = await Rounds.interleave(
    {
      'P-256 by node:crypto': arm(P256Node.create()),
      'P-256 by WebCrypto': arm(webCryptoP256()),
      'P-256 by noble': arm(p256Noble),
      'P-256 left out: what the rest costs': arm({ verify: async () => true }),
    },
    { warmup: mode.warmup, rounds: mode.verify.rounds },
  )
  return Row.compare(
    (what) => ({ section: 'Receipts', what, metric: 'verified', unit: '1/s a core' }),
    Rounds.metric(samples, 'rate'),
    'P-256 by node:crypto',
  )
}

async function verifications(receipt: Receipt.Receipt, inputs: Inputs, cpuSeconds: number) {
  const start = process.cpuUsage()
  let seconds = 0
  let count = 0
  while (seconds < cpuSeconds) {
    for (let i = 0; i < 16; i += 1) {
      const { judgement } = await verify(receipt, inputs)
      if (!judgement.met) throw new Error(`the sample does not verify: ${judgement.reason.message}`)
    }
    count += 16
    const { user, system } = process.cpuUsage(start)
    seconds = (user + system) / 1e6
  }
  return { rate: count / seconds }
}

/** A receipt that meets `committed`. */
function sample(): { readonly receipt: Receipt.Receipt; readonly inputs: Omit<Inputs, 'p256'> } {
  const epochSeconds = 600
  const now = Date.now()
  const epoch = Batch.epochAt(now / 1000, epochSeconds)
  const place = { sequence: BigInt(Math.floor(Params.batchLeaves / 3)), epoch }
  const { seat, transcript } = FakeTranscript.create(place)
  const { receipt, job, output, trace, salts, offer: signedOffer } = transcript
  const { domain, provider } = seat
  const { offer } = signedOffer
  const { publicKey } = seat.key
  const leaves = Array.from({ length: Params.batchLeaves }, (_, i) =>
    BigInt(i) === place.sequence ? Claim.id(receipt.claim) : Batch.unused,
  )
  const path = Batch.prove(leaves, Number(place.sequence))
  const root: Batch.BatchRoot = {
    ...{ keyId: offer.keyId, epoch, root: Batch.root(leaves), first: 0n, end: BigInt(leaves.length) },
    postedAt: (Number(epoch) + 1) * epochSeconds,
    dueAt: Batch.deadline(epoch, epochSeconds),
  }
  const key: Key.ReceiptKey = {
    ...{ domain, keyId: Key.id(publicKey), provider, publicKey },
    notBefore: offer.validity.notBefore,
    notAfter: offer.validity.notAfter,
  }
  return {
    receipt: { ...receipt, evidence: [{ kind: 'inclusion', path }] },
    inputs: {
      ...{ job, output, trace, salts, now },
      offer: signedOffer,
      keys: [key],
      roots: [root],
      policy: { least: 'committed' },
    },
  }
}
