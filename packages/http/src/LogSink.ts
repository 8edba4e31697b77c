import { writeSync } from 'node:fs'
import * as Params from './Params.ts'

/**
 * Where a daemon's log lines go: a file handle, written at once. A line that cannot be written (its disk is full, nobody reads the
 * pipe) is dropped; the next that can be is preceded by how many are missing. Who logs must not die, or wait, for want of a log.
 * @example const log = pino({ level: 'info' }, LogSink.create(1))
 */
export function create(fd: number): { write(line: string): void } {
  let missing = 0
  function put(text: string): boolean {
    let rest = Buffer.from(text)
    for (let tries = 0; rest.length > 0; ) {
      try {
        rest = rest.subarray(writeSync(fd, rest))
      } catch (error) {
        const isBusy = (error as NodeJS.ErrnoException).code === 'EAGAIN'
        if (!isBusy || ++tries > Params.logTriesMax) return false
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Params.logPauseMs)
      }
    }
    return true
  }
  return {
    write(line) {
      if (missing > 0 && put(`{"level":40,"missing":${missing},"msg":"log lines could not be written"}\n`))
        missing = 0
      if (missing > 0 || !put(line)) missing += 1
    },
  }
}
