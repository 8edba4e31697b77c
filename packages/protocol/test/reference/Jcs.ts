/** RFC 8785 in a few lines: ECMAScript's own text for strings and numbers (3.2.2), keys sorted by UTF-16 units (3.2.3). */
export function encode(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(encode).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${encode(one)}`).join(',')}}`
}
