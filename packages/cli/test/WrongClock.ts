/** The environment of a command whose clock, and that of all it starts, is so far ahead. */
export function environment(aheadMs: number): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=${new URL(`./WrongClock.mjs?ms=${aheadMs}`, import.meta.url)}` }
}

export const hourMs = 3_600_000
