// The tree of a JSON value: its places, and the value with one of them changed.

type Step = string | number
type Node = { readonly path: readonly Step[]; readonly value: unknown }

/** Names that mean something to JavaScript, and some that mean nothing. */
export const names = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'then',
  'length',
  '',
  '0',
  'note',
  '\ud800',
]

export function walk(json: unknown, path: readonly Step[] = []): readonly Node[] {
  const here = { path, value: json }
  if (typeof json !== 'object' || json === null || path.length > 12) return [here]
  const below = Array.isArray(json)
    ? json.slice(0, 16).flatMap((one, i) => walk(one, [...path, i]))
    : Object.entries(json).flatMap(([name, one]) => walk(one, [...path, name]))
  return [here, ...below]
}

/** The value with one place replaced; undefined takes it away. */
export function edited(json: unknown, path: readonly Step[], value: unknown): unknown {
  const [step, ...rest] = path
  if (step === undefined) return value
  if (Array.isArray(json)) {
    const copy = [...json]
    if (rest.length === 0 && value === undefined) copy.splice(Number(step), 1)
    else copy[Number(step)] = edited(copy[Number(step)], rest, value)
    return copy
  }
  if (!isRecord(json)) return json
  if (rest.length === 0 && value === undefined) return without(json, String(step))
  return withKey(json, String(step), edited(json[step], rest, value))
}

/** As JSON.parse does it: `__proto__` is a field like any other. */
export function withKey(object: Readonly<Record<string, unknown>>, name: string, value: unknown): unknown {
  return Object.fromEntries([...Object.entries(object).filter(([one]) => one !== name), [name, value]])
}

export function without(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.fromEntries(Object.entries(object).filter(([one]) => one !== name))
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
