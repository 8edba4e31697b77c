/** One case of `spec/vectors`: what goes in and what comes out, or the code of its error. */
export type Case = { readonly name: string } & Readonly<Record<string, unknown>>

/** A noun's two files. Bytes are 0x-hexadecimal, large integers decimal strings: Solidity and browsers read them alike. */
export type Vectors = { readonly valid: readonly Case[]; readonly invalid: readonly Case[] }

export function encode(cases: readonly Case[]): string {
  return `${JSON.stringify({ cases }, undefined, 2)}\n`
}

type Step = string | number

/** A JSON value with one place of it replaced; undefined takes the place away. */
export function edited(json: unknown, path: readonly Step[], value: unknown): unknown {
  const [step, ...rest] = path
  if (step === undefined) return value
  const copy = Array.isArray(json) ? [...json] : { ...(json as object) }
  const old = Reflect.get(copy, step)
  const next = rest.length === 0 ? value : edited(old, rest, value)
  if (next === undefined) Reflect.deleteProperty(copy, step)
  else Reflect.set(copy, step, next)
  return copy
}

type Edit = readonly [name: string, path: readonly Step[], value: unknown, error: string, at: string]

/** Invalid cases that differ from an honest JSON value in one place each; `at` is where the decoder points. */
export function invalidJson(json: unknown, edits: readonly Edit[]): readonly Case[] {
  return [
    ...edits.map(([name, path, value, error, at]) => ({ name, json: edited(json, path, value), error, at })),
    { name: 'not an object', json: [json], error: 'type', at: '$' },
    { name: 'null', json: null, error: 'type', at: '$' },
    { name: 'a field too many', json: edited(json, ['note'], 'x'), error: 'unknown-field', at: '$.note' },
  ]
}
