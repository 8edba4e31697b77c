import { Params as Limits, Policy, Verdict } from '@counterfoil/protocol'
import { InvalidArgumentError, Option } from 'commander'

// Options that several commands share, and readers that refuse what commander would let through.

export function least(): Option {
  return new Option('--least <rung>', 'the least rung to accept').choices(Verdict.rungs).default('signed')
}

export const maxError = () =>
  new Option('--max-error <e>', 'the greatest chance that a verdict is wrong').argParser(decimal(0, 1))

export function maxAge(): Option {
  return new Option('--max-age <age>', 'how old the newest audit may be, such as 7d').argParser((text) => {
    try {
      return Policy.decode({ least: 'sampled', maxAge: text }).maxAge
    } catch {
      throw new InvalidArgumentError('It must be a whole number with s, m, h or d behind it, such as 7d.')
    }
  })
}

export const model = () => new Option('--model <name|id>', "the model to ask; left out, the network's first")
export const maxTokens = () =>
  new Option('--max-tokens <n>', 'at most so many tokens')
    .argParser(integer(1, Limits.outputTokensMax))
    .default(256)
export const temperature = () =>
  new Option('--temperature <t>', '0 takes the likeliest token each time').argParser(
    decimal(0, Limits.temperatureMax),
  )
export const seed = () =>
  new Option('--seed <n>', 'the same seed draws the same noise').argParser(
    integer(-Limits.seedMax, Limits.seedMax),
  )

/** An amount of micro-units; the default is written out, because commander cannot write a bigint. */
export const amount = (flags: string, description: string, value: bigint) =>
  new Option(flags, description)
    .argParser(microUnits)
    .default(value, `${value}, that is ${(Number(value) / 1e6).toFixed(2)}`)

export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^-?\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`It must be an integer from ${min} to ${max}.`)
    return value
  }
}

function decimal(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() === '' || !(value >= min && value <= max))
      throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`)
    return value
  }
}

export function microUnits(text: string): bigint {
  if (!/^\d{1,18}$/.test(text))
    throw new InvalidArgumentError('It must be a whole number of micro-units (1000000 is 1.00).')
  return BigInt(text)
}

/** As {@link microUnits}, and `-` for taking away. */
export function signedMicroUnits(text: string): bigint {
  return text.startsWith('-') ? -microUnits(text.slice(1)) : microUnits(text)
}

export function uuid(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text))
    throw new InvalidArgumentError('It must be an id as foil keys list shows it.')
  return text
}
