import { resolve } from 'node:path'
import { confirm, isCancel } from '@clack/prompts'
import { connectWallet, type Inclusions, Time } from '@counterfoil/chain'
import { type Bytes, Claim, Network, Receipt } from '@counterfoil/protocol'
import { Demand } from '@counterfoil/sdk'
import { Secrets } from '@counterfoil/testnet'
import { Command } from 'commander'
import * as Connection from '../Connection.ts'
import { type ExitCode, exitCodes, Failure } from '../Failure.ts'
import * as Funds from '../Funds.ts'
import * as Home from '../Home.ts'
import * as Proof from '../Proof.ts'
import * as ReceiptSource from '../ReceiptSource.ts'
import { action, type Setting } from '../Setting.ts'
import { amount } from '../Slip.ts'

type Options = { readonly yes?: boolean; readonly wait?: boolean; readonly network?: string }

const help = `
Every claim must stand in its provider's batch of that epoch. Where the batch is posted the gateway of this home has the proof for
nothing: it is asked first, and once more when the waiting is over; where it proves the claim nothing is demanded. Else a demand
with a bond makes the provider show it in time: then the bond is the provider's, and the proof is kept with the transcript, or
printed where only a receipt was given. Where nobody answers, the fault is recorded, the provider's stake stays where it is, and
the bond comes back. Run again for the same receipt it says where the demand stands, and ends what is over. The account is this
home's own (keys/demand.key); on a development chain gas and coins are made, elsewhere the command says what to send to it.
Exit codes: 0 demanded, answered, or nothing to demand, 3 nobody answered in time.`

export function demand(): Command {
  return new Command('demand')
    .description("demand with a bond that the provider's batch shows a claim")
    .argument('<file|-|id>', 'a file, standard input, or the id of a receipt that is kept here')
    .option('-y, --yes', 'put down the bond without asking')
    .option('--wait', 'until it is due, and then until it is answered or its time is over')
    .option('--network <file>', "the receipt's network; left out, this home's")
    .addHelpText('after', help)
    .action(action<Options, [string]>(run))
}

async function run(setting: Setting, options: Options, source: string): Promise<ExitCode> {
  const { home, folder, terminal } = setting
  const found = await ReceiptSource.read(setting, source)
  const { claim } = found.receipt
  const network =
    options.network === undefined ? Home.network(home) : Home.readNetwork(resolve(folder, options.network))
  if (claim.domain !== Network.domain(network))
    throw new Failure(
      `receipt ${claim.request} is of network ${claim.domain}, not of ${network.name}`,
      'name its own with --network <network.json>',
    )
  const asked = { setting, network, found, privateKey: Secrets.privateKey(Home.paths.keys(home), 'demand') }
  const made = (await Demand.find(network, found.receipt)) ?? (await make(asked, options))
  if ('shown' in made) return showFree(asked, made.shown)
  if (!terminal.json) tell(setting, claim, made)
  const state = options.wait ? await Demand.outcome(network, found.receipt) : made.state
  return end(asked, { ...made, state })
}

type Asked = {
  readonly setting: Setting
  readonly network: Network.Network
  readonly found: ReceiptSource.Found
  readonly privateKey: Bytes.Hex
}

/** Puts the bond down, once this person has seen what it is; or finds that the batch shows the claim for nothing. */
async function make(
  asked: Asked,
  { yes = false, wait = false }: Options,
): Promise<Inclusions.Demand | { readonly shown: ReceiptSource.Found }> {
  const { setting, network, found, privateKey } = asked
  const { terminal } = setting
  const { receipt } = found
  const { claim } = receipt
  const before = await look(asked)
  if (before.terms.batch === 'shown') return { shown: before.found }
  const { bond, answerSeconds, from, until, now } = before.terms
  if (now < from && !wait)
    throw new Failure(
      `the batch of epoch ${claim.epoch} is due at ${at(from)}, in ${from - now} s`,
      `demand it then: foil demand ${claim.request}; or add --wait`,
    )
  if (now > until)
    throw new Failure(
      `claims of epoch ${claim.epoch} could be demanded until ${at(until)}`,
      'nothing can be done: leaves may be forgotten by now',
    )
  terminal.print(`  claim     ${Claim.id(claim)} of provider ${claim.provider}`)
  terminal.print(`  batch     epoch ${claim.epoch} of key ${claim.keyId}: ${standing(before.terms)}`)
  terminal.print(`  bond      ${amount(bond)}: the provider's if it shows the claim, back if it does not`)
  terminal.print(`  answer    within ${answerSeconds} s`)
  await agree(setting, yes, bond)
  terminal.status(`waiting until the batch is due, ${at(from)}`)
  await Demand.due(network, receipt)
  terminal.status(undefined)
  // While somebody waited or thought, the batch was posted as a rule: then the bond would only be given away.
  const after = await look({ ...asked, found: before.found })
  if (after.terms.batch === 'shown') return { shown: after.found }
  if (after.terms.batch !== before.terms.batch)
    terminal.print(`  batch     meanwhile ${standing(after.terms)}`)
  const wallet = connectWallet(network, privateKey)
  await Funds.demand(wallet, bond)
  return Demand.make(network, { receipt, privateKey })
}

/** How things stand now, with the proof that is to be had for nothing. */
async function look({
  setting: { home, terminal },
  network,
  found,
}: Asked): Promise<{ readonly found: ReceiptSource.Found; readonly terms: Demand.Terms }> {
  let terms = await Demand.terms(network, found.receipt)
  if (terms.batch !== 'posted') return { found, terms }
  terminal.status('asking the gateway for the proof')
  const later = await Proof.waitFor(home, found, async ({ receipt }) => {
    terms = await Demand.terms(network, receipt)
    return terms.batch === 'shown'
  })
  terminal.status(undefined)
  return { found: later, terms }
}

function standing({ batch, from, now }: Demand.Terms): string {
  if (batch !== 'unposted') return 'posted, this claim not shown'
  return `not posted, due ${now < from ? 'at' : 'since'} ${at(from)}`
}

/** Nothing was demanded: the proof is there, and is kept. */
async function showFree({ setting, network, found }: Asked, shown: ReceiptSource.Found): Promise<ExitCode> {
  const { home, terminal } = setting
  const { receipt, transcript } = shown
  await Connection.caching(home)(network, transcript ?? { receipt })
  if (terminal.json) terminal.document(documentOf(receipt, { demand: null, collected: 0n }))
  else terminal.print(`  shown     its batch shows claim ${Claim.id(receipt.claim)}: nothing to demand`)
  give(setting, found, shown)
  return exitCodes.ok
}

/** Where the proof is, for people: a bare receipt is nowhere kept, so it is printed. */
function give(
  { terminal }: Setting,
  before: ReceiptSource.Found,
  { receipt, transcript }: ReceiptSource.Found,
): void {
  if (transcript)
    terminal.print(`  proof     kept; see it with: foil verify ${receipt.claim.request} --least committed`)
  else if (receipt !== before.receipt) {
    terminal.print('  proof     keep the receipt as it is now:')
    terminal.print(JSON.stringify(Receipt.toJson(receipt)))
  }
}

function documentOf(receipt: Receipt.Receipt, rest: Readonly<Record<string, unknown>>): unknown {
  const { request, provider } = receipt.claim
  const claimId = Claim.id(receipt.claim)
  return { receipt: request, claimId, provider, ...rest, evidence: receipt.evidence }
}

async function agree({ terminal }: Setting, yes: boolean, bond: bigint): Promise<void> {
  if (yes) return
  if (terminal.json || !process.stdin.isTTY || !process.stdout.isTTY)
    throw new Failure(
      `a demand puts down ${amount(bond)}, and nobody can be asked here`,
      'add --yes',
      exitCodes.usage,
    )
  const answer = await confirm({ message: 'Demand it?', initialValue: false })
  if (isCancel(answer) || !answer) throw new Failure('nothing was demanded', 'answer yes, or add --yes')
}

function tell({ terminal }: Setting, claim: Claim.Claim, { by, answerBy, state }: Inclusions.Demand): void {
  terminal.print(`  demanded  by ${by}, to be answered by ${at(answerBy)}`)
  if (state === 'open') terminal.note(terminal.dim(`foil demand ${claim.request} --wait tells how it ends`))
}

/** What can be done once a demand is over: the proof is given, the fault recorded, the bond taken back. */
async function end(
  { setting, network, found, privateKey }: Asked,
  demand: Inclusions.Demand,
): Promise<ExitCode> {
  const { home, terminal } = setting
  const { receipt, transcript } = found
  const wallet = connectWallet(network, privateKey)
  let { state } = demand
  let collected = 0n
  if (state === 'open' && (await Time.now(wallet)) > demand.answerBy) {
    await Funds.demand(wallet, 0n)
    await Demand.fail(network, { receipt, privateKey })
    state = 'failed'
  }
  if (state === 'failed') collected = await Demand.collect(network, privateKey)
  const proved = state === 'answered' ? await Demand.prove(network, receipt) : receipt
  const kept = transcript && { ...transcript, receipt: proved }
  if (kept && proved !== receipt) Home.keepTranscript(home, kept)
  // Its root too, so that it verifies offline from now on.
  if (state === 'answered') await Connection.caching(home)(network, transcript ?? { receipt })
  if (terminal.json) terminal.document(documentOf(proved, { demand: { ...demand, state }, collected }))
  else if (state === 'answered') {
    terminal.print('  answered  the batch shows the claim')
    if (proved.evidence.length > 0)
      give(setting, found, { receipt: proved, ...(kept && { transcript: kept }) })
    else terminal.print("  proof     not to be read from the answer's transaction: run this again later")
  } else if (state === 'failed') {
    terminal.print(
      `  failed    nobody answered: the fault of ${receipt.claim.provider} is recorded, its stake is held`,
    )
    if (collected > 0n) terminal.print(`  bond      ${amount(collected)} came back`)
  }
  return state === 'failed' ? exitCodes.policyNotMet : exitCodes.ok
}

function at(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`
}
