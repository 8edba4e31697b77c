import fc from 'fast-check'
import * as Binary from './Binary.ts'
import { encode, type Request } from './Http.ts'
import * as Json from './Json.ts'

// Requests that are meant, and what may be wrong with them.

/** A way in that is meant: what the spec's page lists. */
export type Way = { readonly method: string; readonly path: string; readonly body?: unknown }

const methods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND', 'QUERY']
const tails = [
  ...[
    '/',
    '//',
    '?',
    '?x=1',
    '?from=1',
    '?from=-1',
    '?from=999999999999999',
    '?from=1e9',
    '?from=%00',
    '?from=0&from=1',
  ],
  ...[
    '?key=x&after=1',
    '%00',
    '%',
    '%ff',
    '%2f..',
    '/..',
    '/../../etc/passwd',
    ';a=b',
    '#x',
    '\\',
    `/${'a'.repeat(7_000)}`,
  ],
  ...[
    `?${'a=b&'.repeat(1_000)}`,
    '/0',
    '/__proto__',
    '/constructor',
    '/%F0%9F%98%80',
    '?auditor=0x',
    '%0d%0aX:1',
  ],
]

const value = fc
  .array(
    fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
    { maxLength: 24 },
  )
  .map((characters) => characters.join('').trim())
const junkHeader: fc.Arbitrary<readonly [string, string]> = fc.oneof(
  fc.constantFrom<readonly [string, string]>(
    ...([
      ...[
        ['content-type', 'text/plain'],
        ['content-type', ''],
        ['content-type', 'application/json; charset=utf-16'],
      ],
      ...[
        ['content-type', 'APPLICATION/JSON'],
        ['content-encoding', 'gzip'],
        ['content-encoding', 'identity'],
      ],
      ...[
        ['expect', '100-continue'],
        ['expect', 'nothing'],
        ['upgrade', 'websocket'],
        ['upgrade', 'h2c'],
      ],
      ...[
        ['connection', 'upgrade'],
        ['x-counterfoil-policy', '{"least":"proved"}'],
        ['x-counterfoil-policy', '{'],
      ],
      ...[
        ['x-counterfoil-nonce', 'ab'.repeat(32)],
        ['x-counterfoil-nonce', ''],
        ['idempotency-key', 'x'.repeat(600)],
      ],
      ...[
        ['idempotency-key', 'one'],
        ['range', 'bytes=0-'],
        ['if-none-match', '*'],
        ['origin', 'null'],
        ['te', 'x'],
      ],
      ...[
        ['authorization', 'Bearer x'],
        ['authorization', 'Bearer'],
        ['authorization', ''],
        ['authorization', 'Basic eDp5'],
      ],
      ...[
        ['access-control-request-headers', 'a, b'],
        ['access-control-request-headers', ',,,'],
        ['trailer', 'x'],
      ],
      ...[
        ['x-forwarded-for', '1.2.3.4'],
        ['x-http-method-override', 'DELETE'],
        ['accept', 'x'],
        ['cookie', 'a=b'],
      ],
      ...[
        ['__proto__', 'x'],
        ['constructor', 'x'],
        ['x', 'y'.repeat(9_000)],
      ],
    ] as const),
  ),
  fc.tuple(
    fc.constantFrom(
      'content-type',
      'x-counterfoil-nonce',
      'x-counterfoil-policy',
      'idempotency-key',
      'authorization',
      'x-other',
    ),
    value,
  ),
  fc.tuple(
    fc.constant('x-counterfoil-policy'),
    Json.mutated([{ least: 'sampled', maxError: 1e-6, maxAge: '7d' }])
      .map((policy) => Json.stringify(policy))
      .filter((text) => /^[\x20-\x7e]{1,9000}$/.test(text)),
  ),
)

/** Requests of these ways, mostly as they are meant but for one or two things; `headers` are those that are meant. */
export function changed(
  ways: readonly Way[],
  headers: readonly (readonly [string, string])[],
): fc.Arbitrary<Request> {
  return fc
    .record({
      way: fc.constantFrom(...ways),
      method: fc.option(fc.constantFrom(...methods), { freq: 6, nil: undefined }),
      tail: fc.option(fc.oneof(fc.constantFrom(...tails), value.map(encodeURI)), { freq: 4, nil: undefined }),
      extra: fc.oneof(
        { arbitrary: fc.constant<readonly (readonly [string, string])[]>([]), weight: 3 },
        { arbitrary: fc.array(junkHeader, { maxLength: 3 }), weight: 1 },
      ),
      without: fc.option(fc.nat(5), { freq: 5, nil: undefined }),
      spoil: fc.nat(9),
      noise: fc.uint8Array({ maxLength: 64 }),
    })
    .chain(({ way, method, tail, extra, without, spoil, noise }) => {
      const added: readonly (readonly [string, string])[] = extra
      const names = new Set(added.map(([name]) => name))
      const base = {
        method: method ?? way.method,
        path: `${way.path}${tail ?? ''}`.replaceAll(/[^\x21-\x7e]/g, '~'),
        headers: [...headers.filter(([name], i) => i !== without && !names.has(name)), ...added],
      }
      if (way.body === undefined)
        return fc.constant({ ...base, body: spoil === 0 ? noise : new Uint8Array() })
      const text = (json: unknown) => new Uint8Array(Buffer.from(Json.stringify(json)))
      if (spoil === 0) return Binary.mutated([text(way.body)]).map((body) => ({ ...base, body }))
      if (spoil === 1) return fc.constant({ ...base, body: noise })
      return Json.mutated([way.body]).map((json) => ({ ...base, body: text(json) }))
    })
}

/** Such requests as bytes that were tampered with: other framings, other lengths, no HTTP any more. */
export function tampered(
  ways: readonly Way[],
  headers: readonly (readonly [string, string])[],
): fc.Arbitrary<Uint8Array> {
  const examples = ways.flatMap((way) => {
    const body = new Uint8Array(way.body === undefined ? [] : Buffer.from(JSON.stringify(way.body)))
    const one = encode({ method: way.method, path: way.path, headers, body })
    const chunked = Buffer.from(one)
      .toString('latin1')
      .replace(/content-length: ([0-9]+)\r\n\r\n/, (_, length) => {
        return `transfer-encoding: chunked\r\n\r\n${Number(length).toString(16)}\r\n`
      })
    return body.length === 0 ? [one] : [one, new Uint8Array(Buffer.from(`${chunked}\r\n0\r\n\r\n`, 'latin1'))]
  })
  return Binary.mutated(examples)
}
