import { writeSync } from 'node:fs'
import * as Params from './Params.ts'

/**
 * Where a daemon's log lines go: a file handle, written at once. A line that cannot be written (its disk is full, nobody reads the
 * pipe) is dropped; the next that can be is preceded by how many are missing. Who logs must not die for want of a log, and waits
 * a tenth of a second once, not at each line. A pipe that blocks is beyond this: whoever opens one must read it.
 * @example const log = pino({ level: 'info' }, LogSink.create(1))
 */
export function create(fd: number): { write(line: string): void } {
  let missing = 0
  /** The last line broke off in its middle. */
  let torn = false
  function put(line: string, triesMax: number): boolean {
    let rest = Buffer.from(torn ? `\n${line}` : line)
    const whole = rest.length
    for (let tries = 0; rest.length > 0; ) {
      try {
        rest = rest.subarray(writeSync(fd, rest))
      } catch (error) {
        const isBusy = (error as NodeJS.ErrnoException).code === 'EAGAIN'
        if (!isBusy || ++tries > triesMax) {
          torn ||= rest.length < whole
          return false
        }
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Params.logPauseMs)
      }
    }
    torn = false
    return true
  }
  return {
    write(line) {
      const marker = `{"level":40,"missing":${missing},"msg":"log lines could not be written"}\n`
      if (missing > 0 && put(marker, 0)) missing = 0
      if (missing > 0 || !put(line, Params.logTriesMax)) missing += 1
    },
  }
}
