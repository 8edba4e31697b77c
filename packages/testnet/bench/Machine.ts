import { existsSync, readFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os'

/** Where figures were seen; nothing that names the machine or its owner. */
export type Machine = {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly platform: string
  readonly node: string
}

export function describe(): Machine {
  return {
    cpu: cpuModel(),
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    // Suffixes after the version are the distributor's or the host's own names.
    kernel: `${platform() === 'darwin' ? 'Darwin' : 'Linux'} ${release().split('-', 1)[0]}`,
    platform: `${platform()} ${arch()}`,
    node: process.version,
  }
}

/** Node leaves the model empty on some ARM machines. */
function cpuModel(): string {
  const model = cpus()[0]?.model.trim() ?? ''
  if (model !== '' && model !== 'unknown') return model
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : ''
  return /^(?:model name|Hardware|CPU part)\s*:\s*(.+)$/m.exec(info)?.[1] ?? `unknown ${arch()}`
}
