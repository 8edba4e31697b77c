// Pulls as its first argument says and prints each event as a line of JSON: a process for tests to kill.
import { type PullOptions, pull, Store } from '../src/index.ts'

const { dir, ...options } = JSON.parse(process.argv[2] ?? '') as PullOptions & { readonly dir: string }
const store = await Store.open({ dir })
await pull(store, { ...options, onProgress: (event) => process.stdout.write(`${JSON.stringify(event)}\n`) })
