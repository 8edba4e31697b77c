/** One file of `spec/vectors`: cases by name, each with what goes in and what comes out, or with the code of its error. */
export type Case = { readonly name: string } & Readonly<Record<string, unknown>>

/** A noun's two files. Bytes are 0x-hexadecimal, large integers decimal strings: Solidity and browsers read them alike. */
export type Vectors = { readonly valid: readonly Case[]; readonly invalid: readonly Case[] }

export function encode(cases: readonly Case[]): string {
  return `${JSON.stringify({ cases }, undefined, 2)}\n`
}
