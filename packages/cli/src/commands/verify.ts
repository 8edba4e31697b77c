import { resolve } from 'node:path'
import {
  type Audits,
  Calibration,
  type Network,
  type Policy,
  type Report,
  type Verdict,
  verify as verifyReceipt,
} from '@counterfoil/protocol'
import { type Evidence, type ReadEvidence, webCryptoP256 } from '@counterfoil/sdk'
import { Command } from 'commander'
import * as Auditors from '../Auditors.ts'
import * as Connection from '../Connection.ts'
import { type ExitCode, exitCodes } from '../Failure.ts'
import * as Home from '../Home.ts'
import * as Ladder from '../Ladder.ts'
import * as Missing from '../Missing.ts'
import * as Option from '../Option.ts'
import * as Proof from '../Proof.ts'
import * as ReceiptSource from '../ReceiptSource.ts'
import { action, type Setting } from '../Setting.ts'
import * as Slip from '../Slip.ts'

type Options = {
  readonly least: Verdict.Rung
  readonly maxError?: number
  readonly maxAge?: Policy.Age
  readonly offline?: boolean
  readonly network?: string
  readonly auditors?: string
}
type Found = ReceiptSource.Found

export function verify(): Command {
  return new Command('verify')
    .description('check a receipt or a whole transcript, and print the ladder of evidence')
    .argument('<file|-|id>', 'a file, standard input, or the id of a receipt that is kept here')
    .addOption(Option.least())
    .addOption(Option.maxError())
    .addOption(Option.maxAge())
    .option('--offline', 'ask nobody: take keys, roots and audits that were read before')
    .option('--auditors <file>', "whose audits count; left out, this home's auditors.json")
    .option('--network <file>', "the network to check against; left out, this home's")
    .action(action<Options, [string]>(run))
}

async function run(setting: Setting, options: Options, source: string): Promise<ExitCode> {
  const kept = await ReceiptSource.read(setting, source)
  const found = options.offline ? kept : await Proof.refresh(setting.home, kept)
  const network = options.offline ? undefined : networkOf(setting, options.network)
  const { evidence, from } = await evidenceFor(setting, network, found)
  const audits = await auditsFor(setting, from === 'chain' ? network : undefined, found, options)
  const { least, maxError, maxAge } = options
  const report = await verifyReceipt(found.receipt, {
    ...found.transcript,
    ...evidence,
    ...(audits && { audits }),
    policy: { least, ...(maxError !== undefined && { maxError }), ...(maxAge !== undefined && { maxAge }) },
    now: Date.now(),
    p256: webCryptoP256(),
  })
  await show(setting, found, report, { network, from, audits })
  return report.judgement.met ? exitCodes.ok : exitCodes.policyNotMet
}

async function show(
  { home, terminal }: Setting,
  { receipt, transcript }: Found,
  report: Report,
  {
    network,
    from,
    audits,
  }: {
    readonly network: Network.Network | undefined
    readonly from: 'chain' | 'cache'
    readonly audits: Audits | undefined
  },
): Promise<void> {
  const slip = await Slip.of(receipt, { home, network })
  const nonceFrom = transcript?.nonceFrom ?? null
  const missing = network && Missing.of(receipt, report, { network, now: Date.now() })
  if (terminal.json)
    return terminal.document({
      receipt: slip,
      report: Ladder.toJson(report),
      evidence: from,
      nonceFrom,
      missing: missing ?? null,
    })
  Slip.print(terminal, slip)
  Ladder.print(terminal, report)
  if (audits) {
    const { calibration, machinesMin } = audits
    terminal.print(
      terminal.colors.dim(
        `  judged by calibration ${Calibration.id(calibration)}: ${calibration.tokens} honest tokens of ${calibration.machines.length} machines, ${machinesMin} asked`,
      ),
    )
  }
  if (missing) terminal.print(terminal.colors.yellow(`  ${missing.why}; ${missing.fix}`))
  if (!transcript)
    terminal.print(
      '  a bare receipt: question, answer and trace were not given, so nothing about them can hold',
    )
  if (nonceFrom === 'gateway')
    terminal.print('  the gateway chose the nonce: this answer is no statistical evidence')
  terminal.print(
    terminal.colors.dim(
      `  keys and roots from ${from === 'chain' ? `the chain at ${network?.rpc}` : `the cache in ${home}`}`,
    ),
  )
}

async function evidenceFor(
  { home, terminal }: Setting,
  network: Network.Network | undefined,
  { receipt, transcript }: Found,
): Promise<{ readonly evidence: Evidence; readonly from: 'chain' | 'cache' }> {
  if (!network) return { evidence: Home.cached(home, receipt.claim.domain), from: 'cache' }
  const readEvidence: ReadEvidence = Connection.caching(home)
  try {
    return { evidence: await readEvidence(network, transcript ?? { receipt }), from: 'chain' }
  } catch (error) {
    if (!(error instanceof Error && error.name === 'ChainError')) throw error
    terminal.note(terminal.dim(`${error.message}; taking what was read before`))
    return { evidence: Home.cached(home, receipt.claim.domain), from: 'cache' }
  }
}

/** What the trusted auditors found; where nothing may or can be asked, what they had told before. */
async function auditsFor(
  { home, folder, terminal }: Setting,
  network: Network.Network | undefined,
  { receipt: { claim } }: Found,
  { auditors }: Options,
): Promise<Audits | undefined> {
  if (!network) return Auditors.saved(home, claim)
  const readAudits = Auditors.reader(home, network, {
    file: auditors === undefined ? undefined : resolve(folder, auditors),
    onProblem: ({ message }) => terminal.note(terminal.dim(`an auditor: ${message}`)),
  })
  const { provider, model, runtime } = claim
  return readAudits?.(network, { provider, model, runtime })
}

function networkOf({ home, folder }: Setting, file: string | undefined): Network.Network {
  return file === undefined ? Home.network(home) : Home.readNetwork(resolve(folder, file))
}
