/** The text of abi.ts, made from the sources. */
export function build(): string
