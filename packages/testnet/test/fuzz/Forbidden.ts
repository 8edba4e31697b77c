import { edited, isRecord, names, walk, withKey, without } from './Tree.ts'

/** What a decoder's page leaves open, by the names of fields. */
export type Loose = {
  /** Fields that may be missing. */
  readonly optional?: readonly string[]
  /** Numbers that need not be whole. */
  readonly fractions?: readonly string[]
  /** Fields that may be null. */
  readonly nullable?: readonly string[]
  /** Hexadecimal of no fixed length. */
  readonly lengths?: readonly string[]
  /** Text that may look like a number. */
  readonly texts?: readonly string[]
}

export type Forbidden = { readonly what: string; readonly json: unknown }

/**
 * Every value that differs from `example` in one place in a way that the spec refuses whatever the noun (spec/README.md,
 * "Notation" and "Decoding"): a field too many or too few, another type, another spelling of bytes or of an integer, a number
 * out of every range, text that is no Unicode.
 */
export function all(example: unknown, loose: Loose = {}): readonly (() => Forbidden)[] {
  return walk(example).flatMap((node) => {
    const { path, value } = node
    const name = String(path.findLast((step) => typeof step === 'string') ?? '')
    const is = (list: readonly string[] | undefined) => list?.includes(name) ?? false
    const said = (what: string, to: unknown) => () => ({
      what: `${['$', ...path].join('.')}: ${what}`,
      json: edited(example, path, to),
    })
    const others = otherTypes(value)
      .filter((one) => one !== null || !is(loose.nullable))
      .map((one) => said(`of another type, ${show(one)}`, one))
    if (isRecord(value)) {
      const added = names
        .filter((one) => !Object.hasOwn(value, one))
        .map((one) => said(`a field ${JSON.stringify(one)} too many`, withKey(value, one, {})))
      const removed = Object.keys(value)
        .filter((one) => !loose.optional?.includes(one))
        .map((one) => said(`no field ${one}`, without(value, one)))
      return [...others, ...added, ...removed]
    }
    if (typeof value === 'number')
      return [
        ...others,
        ...(is(loose.fractions) ? [] : [said('a fraction', value + 0.5)]),
        ...[2 ** 53, -(2 ** 53), 1e21, 1e300].map((one) => said(`${one}`, one)),
        said('minus zero', JSON.parse('-0')),
        said('infinite', JSON.parse('1e400')),
      ]
    if (typeof value !== 'string') return others
    const spelled = (variants: readonly string[]) =>
      variants.filter((one) => one !== value).map((one) => said(`${JSON.stringify(one.slice(0, 80))}`, one))
    const text = spelled([`${value}\ud800`, `\udc00${value}`])
    if (is(loose.texts)) return [...others, ...text]
    if (/^0x([0-9a-f]{2})*$/.test(value))
      return [
        ...others,
        ...text,
        ...spelled([`${value}0`, value.slice(0, -1), value.slice(2), value.replace('0x', '0X')]),
        ...spelled([value.toUpperCase(), `${value}\n`, ` ${value}`, `${value}gg`, `-${value}`]),
        ...(is(loose.lengths) ? [] : spelled([`${value}00`, value.slice(0, -2), '0x'])),
      ]
    if (/^(0|[1-9][0-9]*)$/.test(value))
      return [
        ...others,
        ...text,
        ...spelled([
          `0${value}`,
          `+${value}`,
          `-${value}`,
          `${value} `,
          ` ${value}`,
          `${value}.0`,
          `${value}e0`,
        ]),
        ...spelled(['', '0x1', '1_0', '１', `${2n ** 128n}`, '9'.repeat(5_000), `${value}\n`, `${value}n`]),
      ]
    return [...others, ...text]
  })
}

function otherTypes(value: unknown): readonly unknown[] {
  const all: readonly unknown[] = [null, true, 7, 'x', [], {}, [value]]
  return all.filter((one) => kindOf(one) !== kindOf(value) || (Array.isArray(one) && one.length === 1))
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 40) ?? 'nothing'
}
