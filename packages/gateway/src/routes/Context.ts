import type { Network } from '@counterfoil/protocol'
import type { Watch } from '../audit/Watch.ts'
import type { Directory } from '../Directory.ts'
import type { Occupancy } from '../Occupancy.ts'
import type { Random } from '../Random.ts'
import type { Relay } from '../Relay.ts'

/** What the routes work with. */
export type Context = Relay & {
  readonly network: Network.Network
  readonly directory: Directory
  readonly watch: Watch
  readonly occupancy: Occupancy
  readonly random: Random
  /** The id of a presented API key. */
  readonly findKey: (key: string) => Promise<string | undefined>
  /** Whether the database answers, said within `healthMs`. */
  readonly databaseAnswers: () => Promise<boolean>
  /** Why nothing new is begun; undefined while all is well. */
  readonly unavailable: () => string | undefined
}
