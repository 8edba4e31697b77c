// One process of the fuzzer: runs the targets that it is told to, tells of each, and dies with its parent.
import * as Fuzz from './Fuzz.ts'
import { all } from './targets/all.ts'

const [names = '[]', seed = '0'] = process.argv.slice(2)
const orphaned = () => process.exit(1)
process.on('disconnect', orphaned)

/** What a child says: that it is at work, or what came of a target. */
export type Message = { readonly at: string } | { readonly row: Fuzz.Row }
const tell = (message: Message) => process.send?.(message)

for (const [name, cases] of JSON.parse(names) as readonly (readonly [string, number])[]) {
  const target = all.find((one) => one.name === name)
  if (!target) throw new Error(`no target is called ${name}`)
  tell({ at: name })
  tell({ row: await Fuzz.run(target, { cases, seed: Number(seed), onChunk: () => tell({ at: name }) }) })
}
process.off('disconnect', orphaned)
process.disconnect()
