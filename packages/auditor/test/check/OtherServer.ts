import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

export type OtherServer = AsyncDisposable & { readonly url: string; readonly engine: string }

const startTimeoutMs = 120_000
const pollMs = 200

/** The OpenAI-compatible server of llama-cpp-python, as its own documentation starts it: nothing of it is ours. */
export async function serve(options: {
  readonly python: string
  readonly modelPath: string
}): Promise<OtherServer> {
  const { python, modelPath } = options
  const ask = 'import llama_cpp; print(llama_cpp.__version__)'
  const { stdout: version } = await promisify(execFile)(python, ['-c', ask])
  const port = await freePort()
  const args = ['-m', 'llama_cpp.server', '--model', modelPath, '--model_alias', 'model', '--n_ctx', '1024']
  const one = ['--n_threads', '1', '--n_threads_batch', '1', '--host', '127.0.0.1', '--port', String(port)]
  const server = spawn(python, [...args, ...one], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}/v1`
  const until = performance.now() + startTimeoutMs
  while (!(await isUp(url))) {
    if (server.exitCode !== null || performance.now() > until)
      throw new Error(`${python} ${args.join(' ')} did not start; run it by hand to see why`)
    await sleep(pollMs)
  }
  return {
    url,
    engine: `llama-cpp-python ${version.trim()}`,
    async [Symbol.asyncDispose]() {
      if (server.exitCode !== null) return
      server.kill()
      await once(server, 'exit')
    },
  }
}

async function isUp(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/models`)).ok
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error(`no free port: ${String(address)}`)
  return address.port
}
