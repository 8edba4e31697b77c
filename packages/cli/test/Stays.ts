import { type ChildProcess, spawn } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { main } from './Foil.ts'

/** Starts a command that stays, and resolves with its one document. */
export async function stays<T>(
  dir: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly child: ChildProcess; readonly said: T; readonly stderr: () => string }> {
  const child = spawn(process.execPath, ['--conditions=source', main, ...args, '--json'], {
    env: { PATH: process.env.PATH, COUNTERFOIL_HOME: dir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL') // what it started is on its leash
    await ended
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  const said = await new Promise<T>((resolve, reject) => {
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk
      if (stdout.endsWith('\n}\n')) resolve(JSON.parse(stdout) as T)
    })
    void ended.then((code) => reject(new Error(`${args[0]} ended with ${code}: ${stderr}`)))
  })
  return { child, said, stderr: () => stderr }
}
