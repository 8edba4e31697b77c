import type { Setting } from '../Setting.ts'
import * as HomeChecks from './HomeChecks.ts'
import * as MachineChecks from './MachineChecks.ts'
import * as NetworkChecks from './NetworkChecks.ts'

/** What one look found: `fix` is a command, or what to do where none can do it. */
export type Check = {
  readonly name: string
  readonly outcome: 'ok' | 'warning' | 'fault' | 'skipped'
  readonly found: string
  readonly fix?: string
}

export type Look = (setting: Setting) => Check | Promise<Check>

/** In the order in which one thing needs another. */
const looks: Readonly<Record<string, Look>> = {
  node: MachineChecks.node,
  versions: MachineChecks.versions,
  memory: MachineChecks.memory,
  home: HomeChecks.home,
  disk: HomeChecks.disk,
  keys: HomeChecks.keys,
  model: HomeChecks.model,
  ports: MachineChecks.ports,
  network: NetworkChecks.network,
  chain: NetworkChecks.chain,
  clock: NetworkChecks.clock,
  database: NetworkChecks.database,
  providers: NetworkChecks.providers,
  gateway: NetworkChecks.gateway,
}

/** One look after the other; one that ends in an error is a fault like any other. */
export async function* examine(setting: Setting): AsyncGenerator<Check, void> {
  for (const [name, look] of Object.entries(looks)) {
    setting.terminal.status(`looking at ${name}`)
    try {
      yield await look(setting)
    } catch (error) {
      const found = error instanceof Error ? error.message : String(error)
      yield { name, outcome: 'fault', found, fix: 'mend what the message says, then: foil doctor' }
    }
  }
}
