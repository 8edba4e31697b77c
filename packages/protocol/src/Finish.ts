/** Why an answer ended; its place in this list is its number in a claim. */
export const names = ['stop', 'length', 'tool_calls', 'content_filter', 'aborted'] as const

export type Finish = (typeof names)[number]

export function toNumber(finish: Finish): number {
  return names.indexOf(finish)
}
