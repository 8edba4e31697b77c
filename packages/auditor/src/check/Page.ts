import * as Judgement from './Judgement.ts'
import * as Params from './Params.ts'
import { type Report, type SignalReport, titles } from './Report.ts'

/**
 * The report as one HTML file: no script, nothing loaded from elsewhere. All text in it came from outside and is escaped.
 * @example writeFileSync('check.html', Page.html(report))
 */
export function html(report: Report): string {
  const { target, reference, cost } = report
  const uncounted = Object.entries(report.uncounted)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(report.summary)}</title>
<style>
:root { color-scheme: light dark; --good: #1a7f37; --bad: #cf222e; --open: #9a6700; --line: #8c959f }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #ff7b72; --open: #d29922 } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem; border-left: .4rem solid var(--${colors[report.outcome]}); padding-left: .8rem }
h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top }
th { font-weight: 600 } code { font-size: .9em; overflow-wrap: anywhere }
.facts th { white-space: nowrap; width: 1% } .scores td + td, .scores th + th { text-align: right; white-space: nowrap }
.scores thead th { border-bottom: 1px solid var(--line) }
.wide { overflow-x: auto } svg { display: block; width: 100%; min-width: 34rem; height: auto } svg text { font-size: 13px; fill: currentColor }
.good { color: var(--good) } .bad { color: var(--bad) }
@media (max-width: 36rem) { .facts th, .facts td { display: block; width: auto; padding: 0 } .facts td { padding-bottom: .5rem } }
</style>
</head>
<body>
<h1>${escaped(headline(report))}</h1>
<p>${escaped(report.summary)}.${report.errorBound === null ? '' : ` Chance that this is wrong: at most ${report.errorBound}.`}</p>
${facts([
  ['API', target.url],
  ['model asked for', target.model],
  ['model in the replies', target.modelInReplies ?? 'not said'],
  ['reference', `${reference.name}, SHA-256 ${reference.sha256}`],
  ['reference ran on', reference.runtime],
  ['checked', report.startedAt],
  [
    'cost',
    `${cost.requests} requests, ${cost.promptTokens} prompt and ${cost.outputTokens} output tokens, ${Math.round(cost.seconds)} s`,
  ],
  ['answers counted', String(cost.counted)],
  ...(uncounted.length > 0
    ? [['not counted', uncounted.map(([why, n]) => `${n} ${why}`).join(', ')] as const]
    : []),
  ...(report.detail === null ? [] : [["the API's last error", report.detail] as const]),
])}
<h2>What the answers say</h2>
<p>Each answer scores from 0 to 1; the higher, the more it speaks against the API. The dot is the mean of what was seen, the bar the range in which the
true mean lies. Honest engines and quantisations stay left of the <span class="good">green mark</span>; from the
<span class="bad">red mark</span> on an API is not called consistent.</p>
<div class="wide">${signalsChart(report.signals)}</div>
${scoresTable(report.signals)}
<h2>Evidence after each answer</h2>
<p>An honest API ever reaches the <span class="bad">red line</span> with a chance of at most ${Params.evidenceError}; there the check
ends. Below 1 the answers speak for it.</p>
<div class="wide">${evidenceChart(report)}</div>
<h2>Also seen</h2>
${list(report.findings)}
<h2>What this does not prove</h2>
${list(report.doesNotProve)}
</body>
</html>
`
}

const colors = { consistent: 'good', 'not-consistent': 'bad', 'cannot-tell': 'open' } as const

function headline({ outcome }: Report): string {
  return outcome === 'not-consistent'
    ? 'Not consistent'
    : outcome === 'consistent'
      ? 'Consistent'
      : 'Cannot tell'
}

function scoresTable(signals: readonly SignalReport[]): string {
  const lines = signals.map(({ signal, answers, effect, low, high, evidence }) => {
    const cells =
      effect === null
        ? ['0', 'nothing to count', '', '']
        : [
            String(answers),
            effect.toFixed(3),
            `${low.toFixed(3)} to ${high.toFixed(3)}`,
            evidence.toPrecision(2),
          ]
    return `<tr><td>${escaped(titles[signal])}</td>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`
  })
  return `<div class="wide"><table class="scores"><thead><tr><th>score</th><th>answers</th><th>mean</th><th>true mean</th>
<th>evidence against</th></tr></thead><tbody>${lines.join('\n')}</tbody></table></div>`
}

function signalsChart(signals: readonly SignalReport[]): string {
  const x = (value: number) => (190 + 490 * value).toFixed(1)
  const bars = signals.map((one, i) => {
    const y = 20 + 36 * i
    const mark = (at: number, color: string) =>
      `<line x1="${x(at)}" y1="${y - 10}" x2="${x(at)}" y2="${y + 10}" stroke="var(--${color})" stroke-width="2"/>`
    return `<text x="0" y="${y + 4}">${escaped(titles[one.signal])}</text>
<line x1="${x(0)}" y1="${y}" x2="${x(1)}" y2="${y}" stroke="var(--line)" stroke-width="1"/>
<line x1="${x(one.low)}" y1="${y}" x2="${x(one.high)}" y2="${y}" stroke="currentColor" stroke-width="6" opacity=".5"/>
${mark(one.honest, 'good')}${mark(one.faulty, 'bad')}
${one.effect === null ? '' : `<circle cx="${x(one.effect)}" cy="${y}" r="5" fill="currentColor"/>`}`
  })
  const end = 20 + 36 * signals.length
  return `<svg viewBox="0 0 700 ${end + 10}" role="img" aria-label="Scores of the signals">${bars.join('\n')}
<text x="${x(0)}" y="${end}" text-anchor="middle">0</text><text x="${x(1)}" y="${end}" text-anchor="middle">1</text></svg>`
}

function evidenceChart({ observations }: Report): string {
  const values = observations.map((_, i) => Math.log10(Judgement.of(observations.slice(0, i + 1)).evidence))
  const top = Math.log10(1 / Params.evidenceError)
  const [low, high] = [-2, Math.ceil(top) + 1]
  const y = (value: number) => (150 - (140 * (clamp(value, low, high) - low)) / (high - low)).toFixed(1)
  const x = (i: number) => (40 + (640 * i) / Math.max(1, values.length)).toFixed(1)
  const points = [0, ...values].map((value, i) => `${x(i)},${y(value)}`).join(' ')
  const label = (value: number, text: string) => `<text x="0" y="${Number(y(value)) + 4}">${text}</text>`
  return `<svg viewBox="0 0 700 180" role="img" aria-label="Evidence against the reference after each answer">
<line x1="40" y1="${y(top)}" x2="680" y2="${y(top)}" stroke="var(--bad)" stroke-width="2"/>
<line x1="40" y1="${y(0)}" x2="680" y2="${y(0)}" stroke="var(--line)" stroke-width="1"/>
${label(top, String(Math.round(1 / Params.evidenceError)))}${label(0, '1')}
<polyline points="${points}" fill="none" stroke="currentColor" stroke-width="2"/>
<text x="40" y="172">0</text><text x="680" y="172" text-anchor="end">${values.length} answers</text>
</svg>`
}

function facts(pairs: readonly (readonly [name: string, value: string])[]): string {
  const lines = pairs.map(
    ([name, value]) => `<tr><th>${escaped(name)}</th><td><code>${escaped(value)}</code></td></tr>`,
  )
  return `<table class="facts">${lines.join('\n')}</table>`
}

function list(items: readonly string[]): string {
  return `<ul>${items.map((item) => `<li>${escaped(item)}</li>`).join('\n')}</ul>`
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value))
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '')
}
