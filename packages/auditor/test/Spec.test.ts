import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Params as HttpParams } from '@counterfoil/http'
import { expect, test } from 'vitest'
import * as ChainParams from '../../chain/src/Params.ts'
import * as Params from '../src/Params.ts'

const page = readFileSync(join(import.meta.dirname, '../../../spec/audit.md'), 'utf8')
const { doorLimits: door } = Params
const number = (value: number) => value.toLocaleString('en')
const mebi = (bytes: number) => `${bytes / 1_048_576} MiB`
const s = (ms: number) => `${ms / 1000} s`

test.each([
  `${door.headerBytesMax / 1024} KiB of request line and headers`,
  `${number(Params.requestsPerMinuteMax)} requests of one address in a minute`,
  `${number(door.connectionsMax)} connections, ${door.connectionsPerAddressMax} of one address`,
  `${s(door.headersMs)} for headers and ${s(door.requestMs)} for a request`,
  `${HttpParams.pipelinedMax} unanswered requests a connection`,
  `dropped after ${s(door.stallMs)} in which nothing of it is taken, and after ${HttpParams.replyMs / 60_000} min`,
  `more than ${s(ChainParams.clockApartMs)} from the chain's time`,
  `answers of ${mebi(Params.answerBytesMax)} within ${s(Params.answerMsMax)}, ${Params.purchasesMax} at once`,
  `the ${number(Params.providersAskedMax)} providers registered first, ${mebi(Params.offersBytesMax)} of each within ${s(Params.offersTimeoutMs)}`,
  `${Params.planAuditsMax} audits a commitment`,
  `${number(Params.calibrationsMax)} calibrations of ${mebi(Params.calibrationBytesMax)}`,
  `of its accounts (${Params.gatewaysAskedMax} at most) are asked what they list (${number(Params.modelsListedMax)} entries of each)`,
  `${Params.modelsMax} models at most`,
  `${number(Params.modelBytesMax)}: the largest model`,
  `at most ${number(Params.promptTokensMax)} and half the model's context`,
  `from \`?from=\` on, at most ${Params.commitmentsPageMax} |`,
  `from the \`?from=\`-th on, at most ${Params.historiesPageMax} |`,
])('the page says: %s', (words) => {
  expect(page).toContain(words)
})
