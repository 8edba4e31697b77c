import type { Usage } from '@counterfoil/protocol'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** What a gateway counts, for Prometheus. No label has values that a caller chooses, so that their number is bounded. */
export type Metrics = ReturnType<typeof create>

/** What is read when somebody looks. */
export type Sources = {
  readonly unpaid: () => readonly { readonly provider: string; readonly micros: bigint }[]
  readonly ledger: () => { readonly leases: number; readonly held: bigint; readonly idle: bigint }
  readonly running: () => number
}

/** Answer times: from an empty answer of a fast engine to a long one of a slow machine. */
const secondsBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]

export function create() {
  const registry = new Registry()
  const registers = [registry]
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
    new Counter({ name: `counterfoil_gateway_${name}`, help, labelNames, registers })
  const requests = counter('requests_total', 'Requests by outcome: answered, or the code of the refusal', [
    'outcome',
  ])
  const tokens = counter('tokens_total', 'Tokens of accepted claims', ['kind'])
  const charged = counter('charged_micros_total', 'Micro-units charged for accepted claims', [])
  const verdicts = counter('verdicts_total', 'Claims checked, by outcome; of those that fail, why', [
    'outcome',
    'reason',
  ])
  const attempts = counter('failed_attempts_total', 'Jobs that a provider did not answer', ['provider'])
  const vouchers = counter('vouchers_total', 'Vouchers by outcome: taken or not', ['outcome'])
  const recovered = counter('recovered_total', 'Requests of dead gateways, by how they were ended', [
    'outcome',
  ])
  const seconds = new Histogram({
    name: 'counterfoil_gateway_answer_seconds',
    help: 'From a request to its settled answer',
    buckets: secondsBuckets,
    registers,
  })

  return {
    requests,
    tokens,
    charged,
    verdicts,
    attempts,
    vouchers,
    recovered,
    seconds,
    /** Adds the tokens of one accepted claim. */
    use({ promptTokens, cachedTokens, outputTokens }: Usage.Usage): void {
      tokens.inc({ kind: 'prompt' }, promptTokens)
      tokens.inc({ kind: 'cached' }, cachedTokens)
      tokens.inc({ kind: 'output' }, outputTokens)
    },
    /** Series that are read at each look. */
    watch({ unpaid, ledger, running }: Sources): void {
      const gauge = <T extends string>(
        name: string,
        help: string,
        labelNames: readonly T[],
        read: (gauge: Gauge<T>) => void,
      ) =>
        new Gauge({
          ...{ name: `counterfoil_gateway_${name}`, help, labelNames, registers },
          collect() {
            this.reset()
            read(this)
          },
        })
      gauge('unpaid_micros', 'Accepted claims that no voucher has paid yet', ['provider'], (one) => {
        for (const { provider, micros } of unpaid()) one.inc({ provider }, Number(micros))
      })
      gauge('running_requests', 'Requests at work', [], (one) => one.set(running()))
      gauge('leases', 'Slices of balances that this gateway holds', [], (one) => one.set(ledger().leases))
      gauge('leased_micros', 'What lies in them, held for running requests or idle', ['state'], (one) => {
        const { held, idle } = ledger()
        one.set({ state: 'held' }, Number(held))
        one.set({ state: 'idle' }, Number(idle))
      })
    },
    /** The text format that Prometheus reads. */
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
