// `npm run gas`: prints a Markdown table of what each transaction costs; `--write` puts it into GAS.md as well.
// test/Gas.t.sol makes the calls; with --isolate forge runs each as a transaction of its own (base fee, calldata, cold storage).
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { forge } from './forge.mjs'

const titles = {
  'test_gas()': 'Whole transactions',
  'test_gasOfChecks()': 'Checks inside a transaction (execution only)',
}

function measure() {
  const { status, stdout, stderr } = forge(
    ['test', '--match-contract', 'GasTest', '--isolate', '--json', '-vv'],
    {
      stdio: 'pipe',
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    },
  )
  if (status !== 0)
    throw new Error(`forge test --match-contract GasTest failed (exit ${status}):\n${stdout}${stderr}`)
  const [suite] = Object.values(JSON.parse(stdout))
  return suite.test_results
}

function table(results) {
  const lines = [
    '# Gas',
    '',
    'Made by `npm run gas -- --write`: Solidity 0.8.37, optimizer at 200 runs, no via_ir, hard fork Osaka.',
  ]
  for (const [test, title] of Object.entries(titles)) {
    lines.push('', `## ${title}`, '', '| what | gas |', '|---|---:|')
    for (const log of results[test].decoded_logs) {
      const [, what, gas] = /^(.*): (\d+)$/.exec(log) ?? []
      if (!what) throw new Error(`${test} logged ${JSON.stringify(log)}; expected "what: gas"`)
      lines.push(`| ${what} | ${Number(gas).toLocaleString('en-US')} |`)
    }
  }
  return `${lines.join('\n')}\n`
}

const text = table(measure())
process.stdout.write(text)
if (process.argv.includes('--write'))
  writeFileSync(fileURLToPath(new URL('../GAS.md', import.meta.url)), text)
