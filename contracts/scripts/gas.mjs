// `npm run gas`: prints a Markdown table of what each transaction costs; `--write` puts it into GAS.md, `--check` only
// compares. Whatever is above its bar fails. test/Gas.t.sol makes the calls; with --isolate forge runs each as a transaction
// of its own (base fee, calldata, cold storage).
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { forge } from './forge.mjs'

const titles = {
  'test_gas()': 'Whole transactions',
  'test_gasOfManyRedemptions()': 'Many redemptions in one transaction',
  'test_gasOfInclusion()': 'A claim with its inclusion on chain',
  'test_gasOfChecks()': 'Checks inside a transaction (execution only)',
}

/** The most that what people do again and again may cost. */
const bars = {
  'Channels.open': 125_000,
  'Channels.redeem': 70_000,
  'Channels.redeemMany, 20 lines of one channel: each': 30_000,
  'Channels.redeemMany, 20 channels: each': 30_000,
  "Commitments.post, a key's first": 80_000,
  'Commitments.post': 80_000,
}

const intro = `# Gas

Made by \`npm run gas -- --write\`, compared and held under the bars by a test. Solidity 0.8.37, optimizer at 10,000 runs, no via_ir, hard fork Osaka.

What counts is a transaction as its sender pays it, after refunds: 21,000, its calldata, cold accounts and storage. It meets the chain as most transactions do: the contracts, payer and payee hold coins already, and the payer approved more than it deposits (an approval used up would save 4,800 in refunds). The coin is OpenZeppelin's ERC-20; real ones with proxies and blocklists add 5,000 to 15,000 to a transfer.

A line's first redemption fills a fresh slot, 17,100 more, once in a channel's life; no bar is set for it.`

function measure() {
  const { status, stdout, stderr } = forge(
    ['test', '--match-contract', 'GasTest', '--isolate', '--json', '-vv'],
    {
      stdio: 'pipe',
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    },
  )
  const [suite] = stdout.startsWith('{') ? Object.values(JSON.parse(stdout)) : []
  const failed = Object.entries(suite?.test_results ?? {}).filter(([, { status }]) => status !== 'Success')
  if (status !== 0 || failed.length > 0 || !suite) {
    const reasons = failed.map(([test, { reason }]) => `${test}: ${reason}`)
    throw new Error(`GasTest failed (exit ${status}): ${reasons.join('; ') || stdout + stderr}`)
  }
  return suite.test_results
}

function table(results) {
  const lines = [intro]
  const above = []
  const missing = new Set(Object.keys(bars))
  for (const [test, title] of Object.entries(titles)) {
    lines.push('', `## ${title}`, '', '| what | gas | bar |', '|---|---:|---:|')
    for (const log of results[test].decoded_logs) {
      const [, what, gas] = /^(.*): (\d+)$/.exec(log) ?? []
      if (!what) throw new Error(`${test} logged ${JSON.stringify(log)}; expected "what: gas"`)
      const bar = bars[what]
      missing.delete(what)
      if (bar !== undefined && Number(gas) > bar) above.push(`${what} takes ${gas}, more than ${bar}`)
      lines.push(`| ${what} | ${number(gas)} | ${bar === undefined ? '' : number(bar)} |`)
    }
  }
  if (missing.size > 0) throw new Error(`measured by no test: ${[...missing].join(', ')}`)
  return { text: `${lines.join('\n')}\n`, above }
}

function number(gas) {
  return Number(gas).toLocaleString('en-US')
}

const file = fileURLToPath(new URL('../GAS.md', import.meta.url))
const { text, above } = table(measure())
if (process.argv.includes('--write')) writeFileSync(file, text)
if (!process.argv.includes('--check')) process.stdout.write(text)
else if (readFileSync(file, 'utf8') !== text)
  above.push('contracts/GAS.md is not what is measured\n  fix: run `npm run gas -- --write` and commit it')
if (above.length > 0) {
  process.stderr.write(`${above.join('\n')}\n`)
  process.exitCode = 1
}
