import { Bytes, Canonical, type Sampler, type Trace } from '../../src/index.ts'
import * as Calibration from '../../src/sampled/Calibration.ts'
import * as CalibrationRecords from '../../src/sampled/CalibrationRecords.ts'
import * as EProcess from '../../src/sampled/EProcess.ts'
import * as History from '../../src/sampled/History.ts'
import * as Margin from '../../src/sampled/Margin.ts'
import * as Score from '../../src/sampled/Score.ts'
import * as Statistic from '../../src/sampled/Statistic.ts'
import { type Case, invalidJson, type Vectors } from '../vectors/Vectors.ts'
import * as Audits from './Audits.ts'

const seed: Bytes.Hex = `0x${'5e'.repeat(32)}`

/** 128 logits that fall, with a ripple, from 8; token ids are not in order. */
const candidates: readonly Sampler.Candidate[] = Array.from({ length: 128 }, (_, i) => ({
  id: (i * 37) % 128,
  logit: Math.round(1_000 * (8 - 0.9 * Math.sqrt(i) + 0.3 * Math.sin(7 * i))) / 1_000,
}))

function drawn(name: string, claimed: Omit<Margin.Claimed, 'seed' | 'choice'>): Case {
  const input = { ...claimed, seed, choice: 1 }
  return { name, candidates, ...input, margin: Math.floor(10_000 * Margin.of(candidates, input)) }
}

function reported(name: string, input: Parameters<typeof Margin.ofLogprob>[0]): Case {
  return { name, ...input, margin: Math.floor(10_000 * Margin.ofLogprob(input)) }
}

function scored(name: string, statistics: readonly Statistic.Statistic[], factor: number): Case {
  return {
    name,
    statistics,
    bytes: Bytes.toHex(Statistic.encode(statistics)),
    logprobFactor: factor,
    scores: statistics.map((one) => Score.token(one, factor)),
    x: Score.answer(statistics, factor),
  }
}

function betted(name: string, xs: readonly number[], mean: number): Case {
  const value = EProcess.value(
    xs.reduce<EProcess.EProcess>((process, x) => EProcess.next(process, { x, mean }), EProcess.start),
  )
  return { name, xs, mean, value: Number(value.toPrecision(12)) }
}

const token: Trace.Token = { id: 0, logprob: -709 }
const plain = { temperature: 1, topP: 1, position: 3 }
const clean: Statistic.Statistic = { first: 0, second: 0, spread: 0, logprob: 0 }

export const sampled: Vectors = {
  valid: [
    ...[0, 37, 91, 64, 127].map((id) => drawn(`plain, token ${id}`, { ...plain, token: id })),
    ...[0, 37, 91, 64].map((id) => drawn(`nucleus, token ${id}`, { ...plain, topP: 0.9, token: id })),
    drawn('nucleus of next to nothing', { ...plain, topP: 0, token: 37 }),
    drawn('hot', { ...plain, temperature: 2, token: 74 }),
    drawn('cold', { ...plain, temperature: 0.1, token: 37 }),
    drawn('greedy', { ...plain, temperature: 0, topP: 0.5, token: 37 }),
    drawn('a token that was not fetched', { ...plain, token: 4_000 }),
    reported('log-probability within rounding', {
      reported: token.logprob,
      reference: -0.6925,
      isBound: false,
    }),
    reported('log-probability above', { reported: -100, reference: -0.5, isBound: false }),
    reported('log-probability below', { reported: -2_000, reference: -0.01, isBound: false }),
    reported('log-probability below a bound', { reported: -9_000, reference: -6, isBound: true }),
    reported('log-probability above a bound', { reported: -1_000, reference: -6, isBound: true }),
    scored('an honest answer', [clean, { first: 900, second: 900, spread: 0, logprob: 1_100 }], 1_000),
    scored(
      'all kinds of tokens',
      [
        { first: 1_201, second: 1_300, spread: 600, logprob: 0 },
        { first: 40_000, second: 1_500, spread: 0, logprob: 0 },
        { first: 2_000, second: 2_000, spread: 900, logprob: 0 },
        { first: 0, second: 0, spread: 0, logprob: 4_001 },
        { first: 40_000, second: 40_000, spread: 65_535, logprob: 40_000 },
      ],
      500,
    ),
    scored('a false answer', Array(7).fill({ ...clean, first: 4_000, second: 4_000 }), 0),
    betted('no answer', [], 5_000),
    betted('clean answers', Array(10).fill(0), 5_000),
    betted('four false ones', Array(4).fill(1_000_000), 5_000),
    betted('a cheat after honest work', [...Array(30).fill(0), 400_000, 5_000, 1_000_000], 7_500),
  ],
  invalid: [
    { name: 'part of a token', bytes: '0x00000000000000', error: 'length', at: '$' },
    { name: 'a margin above 4 logits', bytes: '0x9c41000000000000', error: 'range', at: '$ token 0' },
    {
      name: 'a second margin above',
      bytes: '0x00000000000000000000ffff00000000',
      error: 'range',
      at: '$ token 1',
    },
    { name: 'a log-probability margin above', bytes: '0x0000000000009c41', error: 'range', at: '$ token 0' },
  ],
}

function fitted(name: string, runs: readonly CalibrationRecords.Run[]): Case {
  const value = CalibrationRecords.fit(runs, Audits.subject)
  return { name, calibration: value, canonical: Canonical.encode(value), id: Calibration.id(value) }
}

const one = Audits.runs.slice(0, 1)
const base = Audits.calibration

export const calibration: Vectors = {
  valid: [fitted('two machines', Audits.runs), fitted('one machine', one)],
  invalid: invalidJson(base, [
    ['another schema', ['schema'], 'counterfoil/calibration/0', 'range', '$.schema'],
    ['no model', ['model'], undefined, 'missing', '$.model'],
    ['one reference', ['references'], base.references.slice(1), 'length', '$.references'],
    ['the same reference twice', ['references', 1], base.references[0], 'length', '$.references'],
    ['three references', ['references', 2], base.runtime, 'too-many', '$.references'],
    ['a machine twice', ['machines', 1, 'machine'], base.machines[0]?.machine, 'order', '$.machines'],
    ['a machine without tokens', ['machines', 0, 'tokens'], 0, 'range', '$.machines[0].tokens'],
    ['tokens that do not add up', ['machines', 0, 'tokens'], 21_000, 'range', '$.tokens'],
    ['answers that do not add up', ['answers'], 801, 'range', '$.answers'],
    ['a factor that is not offered', ['logprobFactor'], 900, 'range', '$.logprobFactor'],
    ['scores out of order', ['scores', 0, 'score'], 2_000, 'order', '$.scores'],
    ['a score above full', ['scores', 0, 'score'], 2_001, 'range', '$.scores[0].score'],
    ['more scores than tokens', ['scores', 0, 'tokens'], 40_000, 'range', '$.scores'],
    ['a mu0 below the floor', ['mu0'], 4_999, 'range', '$.mu0'],
    ['a mu0 that does not follow', ['mu0'], base.mu0 + 1, 'range', '$.mu0'],
    ['an excess left out', ['scores'], base.scores.slice(1), 'range', '$.mu0'],
    ['a mean that is not a number', ['meanX'], null, 'type', '$.meanX'],
    ['records of 31 bytes', ['records'], `0x${'00'.repeat(31)}`, 'hex', '$.records'],
  ]),
}

const { history: page } = Audits
const [opened, unopened] = page.entries

function kept(name: string, value: History.History): Case {
  return { name, history: value, canonical: Canonical.encode(value), id: History.id(value) }
}

export const history: Vectors = {
  valid: [kept('opened and not', page), kept('no audits', { ...page, entries: [] })],
  invalid: [
    ...invalidJson(page, [
      ['another schema', ['schema'], 'counterfoil/history/2', 'range', '$.schema'],
      ['no calibration', ['calibration'], undefined, 'missing', '$.calibration'],
      [
        'a commitment beyond any chain',
        ['entries', 2, 'commit'],
        2 ** 31 - 1,
        'range',
        '$.entries[2].commit',
      ],
      ['an unknown state', ['entries', 0, 'state'], 'hidden', 'range', '$.entries[0].state'],
      ['an X above 1', ['entries', 0, 'x'], 1_000_001, 'range', '$.entries[0].x'],
      ['an X of part of a millionth', ['entries', 0, 'x'], 0.5, 'range', '$.entries[0].x'],
      ['an opened audit without X', ['entries', 0, 'x'], undefined, 'missing', '$.entries[0].x'],
      ['an unopened audit with X', ['entries', 1, 'x'], 0, 'unknown-field', '$.entries[1].x'],
      ['no tokens', ['entries', 0, 'tokens'], 0, 'range', '$.entries[0].tokens'],
      [
        'an unknown bucket',
        ['entries', 0, 'strata', 'context'],
        '600',
        'range',
        '$.entries[0].strata.context',
      ],
      [
        'a long language',
        ['entries', 0, 'strata', 'language'],
        'en-GB-oed',
        'too-long',
        '$.entries[0].strata.language',
      ],
      [
        'a gateway that is no address',
        ['entries', 0, 'strata', 'gateway'],
        '0x',
        'hex',
        '$.entries[0].strata.gateway',
      ],
      ['an audit twice', ['entries', 1], { ...unopened, leaf: opened?.leaf }, 'duplicate', '$.entries[1]'],
      ['audits out of order', ['entries', 0, 'commit'], 8, 'order', '$.entries[1]'],
      ['a claim twice', ['entries', 2, 'claim'], Audits.opened.claim, 'duplicate', '$.entries[2].claim'],
      ['a leaf beyond any root', ['entries', 1, 'leaf'], 4_294_967_296, 'range', '$.entries[1].leaf'],
    ]),
  ],
}
