import { Engine } from '@counterfoil/engines'
import { Audit, AuditHistory, type Bytes, SampledParams, Statistic, Trace } from '@counterfoil/protocol'
import { type Auditor, calibrationAt, touch } from './Auditor.ts'
import * as events from './events.ts'
import * as Params from './Params.ts'
import * as Reading from './Reading.ts'
import * as Audits from './store/Audits.ts'
import * as Plans from './store/Plans.ts'

/** Scores what was bought and opens it. What cannot be scored is tried again, then stays sealed: it counts for nobody. */
export async function score(auditor: Auditor): Promise<void> {
  const { store, chain, clock, log } = auditor
  for (const row of Audits.bought(store, clock.now())) {
    auditor.signal.throwIfAborted()
    const { beacon, commitment } = Plans.ofEpoch(store, chain.auditor, row.epoch) ?? {}
    if (beacon === undefined || !commitment || !row.transcript) continue
    // The chain first: while it is away nothing is scored in vain, and no attempt is used up.
    const openedAt = await chain.seconds()
    const payer = await chain.payer(row.transcript.receipt.claim.channel)
    const began = clock.monotonicMs()
    try {
      if (payer === undefined) throw new ChannelUnknownError(row.transcript.receipt.claim.channel)
      const found = await scoreOne(auditor, row, { beacon, committedAt: commitment.time })
      Audits.setOpened(store, row, { ...found, gateway: payer, openedAt })
      touch(auditor, row.epoch)
      events.opened(log, {
        epoch: row.epoch,
        leaf: row.leaf,
        provider: found.provider,
        x: found.x,
        fault: found.fault,
        ms: clock.monotonicMs() - began,
      })
    } catch (error) {
      auditor.signal.throwIfAborted()
      const isFinal = error instanceof Engine.EngineRefusal || row.attempts + 1 >= Params.attemptsMax
      const againMs = clock.now() + Params.attemptPauseMs * 2 ** row.attempts
      Audits.setFailed(store, row, String(error), isFinal ? undefined : againMs)
      events.scoreFailed(log, { epoch: row.epoch, leaf: row.leaf }, error, isFinal)
    }
  }
}

async function scoreOne(
  auditor: Auditor,
  row: Audits.Row,
  { beacon, committedAt }: { readonly beacon: Bytes.Hex; readonly committedAt: number },
) {
  const { transcript, audit } = row
  if (!transcript) throw new Error(`audit ${row.leaf} of epoch ${row.epoch} was bought without a transcript`)
  const { claim } = transcript.receipt
  const calibration = calibrationAt(auditor, claim, committedAt)
  if (!calibration)
    events.uncalibrated(auditor.log, {
      provider: claim.provider,
      model: claim.model,
      runtime: claim.runtime,
    })
  const scorer = await auditor.references(claim.model)
  const [tokens = []] = Trace.decode(transcript.trace)
  const { promptTokens, statistics } = await scorer.score({
    job: Audit.job(audit, Audit.nonce(row.secret, beacon)),
    startedMs: claim.time.started,
    tokens,
    second: {
      where: 'answer',
      logprobFactor: calibration?.logprobFactor ?? SampledParams.logprobFactors[0],
    },
  })
  const reading = Reading.of(
    tokens.map((one) => one.id),
    { vocabulary: scorer.vocabulary, stop: audit.job.stop },
  )
  const fault = Reading.fault(reading, {
    promptTokens,
    tokens: tokens.length,
    claim,
    output: transcript.output,
    audit,
    offer: transcript.offer.offer,
  })
  const found = { statistics: Statistic.toHex(statistics), fault }
  const x = calibration && AuditHistory.x(found, calibration.logprobFactor)
  return { ...found, provider: claim.provider, x }
}

/** The claim names a channel that the chain does not know (yet): nobody can say who paid. */
class ChannelUnknownError extends Error {
  override readonly name = 'Scoring.ChannelUnknownError'
  constructor(channel: Bytes.Hex) {
    super(`channel ${channel} is not on chain; it is looked for again`)
  }
}
