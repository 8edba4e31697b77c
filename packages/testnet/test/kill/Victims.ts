import { execFileSync } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import * as Random from './Random.ts'

/** What can be killed, and how its process is known among those below us: also while it is starting or recovering. */
const kinds = {
  provider: /\/provider\/(src|dist)\/main\./,
  engine: /\/engines\/(src|dist)\/llama\/main\./,
  gateway: /\/gateway\/(src|dist)\/main\./,
  database: /\/postgres -D /,
  chain: /\/anvil /,
} as const

export type Kind = keyof typeof kinds

const order: readonly [Kind, ...Kind[]] = ['provider', 'engine', 'gateway', 'database', 'chain']

/** Kills in quick succession that one kind may suffer: above, its keeper would rightly give it up. */
const quickMax = 3
const quickMs = 8_000

/** Kills processes of the network below this process, one at a time, whatever they are doing. */
export class Victims {
  readonly killed: Record<Kind, number> = { provider: 0, engine: 0, gateway: 0, database: 0, chain: 0 }
  readonly #last: { readonly kind: Kind; readonly at: number }[] = []

  /** Kills one, of whatever kind runs just now; the name of what it was. */
  async kill(random: Random.Random): Promise<string> {
    for (;;) {
      const killed = this.#try(random)
      if (killed !== undefined) return killed
      await wait(20)
    }
  }

  #try(random: Random.Random): string | undefined {
    const kind = Random.pick(random, order)
    const now = performance.now()
    const quick = this.#last.filter((one) => one.kind === kind && now - one.at < quickMs).length
    const [first, ...rest] = pids(kinds[kind])
    const place = random()
    if (quick >= quickMax || first === undefined) return undefined
    const pid = [first, ...rest][Math.floor(place * (rest.length + 1))] ?? first
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      return undefined
    }
    this.#last.push({ kind, at: now })
    this.killed[kind] += 1
    return `${kind} ${pid}`
  }
}

/** Processes below this one whose command line matches; leashes and name-space wrappers carry it too and are left out. */
function pids(pattern: RegExp): readonly number[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat=,args='], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
    .trim()
    .split('\n')
    .map((row) => /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(row))
    .flatMap((row) =>
      row ? [{ pid: Number(row[1]), parent: Number(row[2]), stat: row[3] ?? '', args: row[4] ?? '' }] : [],
    )
  const below = new Set([process.pid])
  for (let size = 0; size !== below.size; ) {
    size = below.size
    for (const { pid, parent } of rows) if (below.has(parent)) below.add(pid)
  }
  return rows
    .filter(({ pid, stat, args }) => below.has(pid) && !stat.startsWith('Z') && pattern.test(args))
    .filter(({ args }) => !/^(\/bin\/sh|unshare|\S*\/unshare|setpriv) /.test(args))
    .map(({ pid }) => pid)
}
