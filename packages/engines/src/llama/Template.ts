import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja'

/** What a chat template sees. */
export type Input = {
  readonly messages: readonly unknown[]
  readonly bos: string
  readonly eos: string
  /** The clock of the template: the job's start, read in UTC. */
  readonly startedMs: number
}

/**
 * A model's own chat template (Jinja, `tokenizer.chat_template`), ready to render prompts that end where the assistant
 * begins. The same job gives the same prompt on every machine, so the clock is the job's and never this machine's.
 * @example Template.compile('{% for m in messages %}{{ m.content }}{% endfor %}').render({ messages, bos: '', eos: '', startedMs: 0 })
 */
export function compile(source: string): { render(input: Input): string } {
  // As in Transformers, whose templates these are. The library's own `Template` cannot be given another clock.
  const program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }))
  return {
    render: ({ messages, bos, eos, startedMs }) => {
      const environment = new Environment()
      const variables = {
        ...globals,
        messages,
        add_generation_prompt: true,
        bos_token: bos,
        eos_token: eos,
        strftime_now: (format: string) => strftime(startedMs, format),
      }
      for (const [name, value] of Object.entries(variables)) environment.set(name, value)
      const result: { readonly value?: unknown } = new Interpreter(environment).run(program)
      return String(result.value)
    },
  }
}

const globals = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range,
  raise_exception: (message: string) => {
    throw new Error(message)
  },
}

/** Python's `range`. */
function range(first: number, second?: number, step = 1): readonly number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second]
  if (step === 0) throw new Error('range() step must not be zero')
  return Array.from({ length: Math.max(0, Math.ceil((stop - start) / step)) }, (_, i) => start + i * step)
}

const months = 'January February March April May June July August September October November December'.split(
  ' ',
)
const days = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')

/** C's `strftime` in UTC with the names of the C locale, as far as chat templates use it; an unknown directive stays as it is. */
export function strftime(ms: number, format: string): string {
  const date = new Date(ms)
  const two = (value: number) => String(value).padStart(2, '0')
  const month = months[date.getUTCMonth()] ?? ''
  const day = days[date.getUTCDay()] ?? ''
  const hour12 = date.getUTCHours() % 12 || 12
  const dayOfYear = Math.floor((ms - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1
  const directives: Record<string, string> = {
    Y: String(date.getUTCFullYear()),
    y: two(date.getUTCFullYear() % 100),
    m: two(date.getUTCMonth() + 1),
    B: month,
    b: month.slice(0, 3),
    d: two(date.getUTCDate()),
    e: String(date.getUTCDate()).padStart(2, ' '),
    j: String(dayOfYear).padStart(3, '0'),
    A: day,
    a: day.slice(0, 3),
    H: two(date.getUTCHours()),
    I: two(hour12),
    p: date.getUTCHours() < 12 ? 'AM' : 'PM',
    M: two(date.getUTCMinutes()),
    S: two(date.getUTCSeconds()),
    Z: 'UTC',
    z: '+0000',
    F: date.toISOString().slice(0, 10),
    T: date.toISOString().slice(11, 19),
    '%': '%',
  }
  return format.replace(/%(-?)([A-Za-z%])/g, (whole, bare: string, letter: string) => {
    const value = directives[letter]
    if (value === undefined) return whole
    return bare ? value.replace(/^[0 ]+(?=.)/, '') : value
  })
}
