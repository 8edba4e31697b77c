import { type ChildProcess, fork } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EngineCrashed, EngineRefusal } from '../Engine.ts'
import * as Params from '../Params.ts'
import type * as Message from './Message.ts'

/** One request's replies on their way to who reads them. `crash` is set when the process died before the last one. */
type Inbox = {
  readonly replies: Message.Reply[]
  readonly onFree: () => void
  wake: () => void
  crash?: EngineCrashed
  left?: boolean
}

/** One life of the child process. When it dies, whatever runs on it gets {@link EngineCrashed}, and it is of no more use. */
export class Connection {
  readonly ready: Message.Ready
  /** Resolves when the process is gone. */
  readonly closed: Promise<void>
  readonly #child: ChildProcess
  readonly #inboxes = new Map<number, Inbox>()
  #lastId = 0
  #crash: EngineCrashed | undefined

  /**
   * Starts the child and loads the model there. `onClosed` is called when the process is gone, before any work on it is
   * told, so that whoever then looks for a connection makes a new one.
   * @throws {@link EngineCrashed} when the process dies, Error when the model cannot be loaded.
   */
  static async open(load: Message.Load, onClosed: () => void): Promise<Connection> {
    const here = fileURLToPath(import.meta.url)
    const fromSource = here.endsWith('.ts')
    const entry = fileURLToPath(new URL('./main.ts', import.meta.url))
    const child = fork(fromSource ? entry : entry.replace(/ts$/, 'js'), [], {
      execArgv: fromSource ? ['--conditions=source'] : [],
      // llama.cpp also looks for libraries in the working directory: a folder of ours, not of whoever started us.
      cwd: dirname(here),
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    const closed = watch(child)
    child.send({ type: 'load', load } satisfies Message.Downward)
    const first = await Promise.race([
      new Promise<Message.Upward>((resolve) =>
        child.once('message', (message: Message.Upward) => resolve(message)),
      ),
      closed,
    ])
    if (first instanceof EngineCrashed) throw first
    if (first.type === 'ready') return new Connection(child, first.ready, closed, onClosed)
    if (child.connected) child.disconnect()
    await closed
    const why =
      first.type === 'loadFailed' ? first.message : `it began with a message of type "${first.type}"`
    throw new Error(`the model ${load.modelPath} cannot be loaded: ${why}`)
  }

  private constructor(
    child: ChildProcess,
    ready: Message.Ready,
    closed: Promise<EngineCrashed>,
    onClosed: () => void,
  ) {
    this.#child = child
    this.ready = ready
    child.on('message', (message: Message.Upward) => {
      if (message.type === 'replies') for (const [id, reply] of message.replies) this.#deliver(id, reply)
    })
    this.closed = closed.then((crash) => {
      this.#crash = crash
      onClosed()
      for (const inbox of this.#inboxes.values()) {
        inbox.crash = crash
        inbox.onFree()
        inbox.wake()
      }
      this.#inboxes.clear()
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /**
   * Sends a request and yields its replies up to `ended`. `onFree` is called once, when the child holds nothing more for
   * it, be it ended, cancelled or dead: leaving the loop cancels, and does not wait.
   */
  async *run(
    request: Message.Request,
    { signal, onFree }: { readonly signal?: AbortSignal | undefined; readonly onFree: () => void },
  ): AsyncGenerator<Exclude<Message.Reply, Message.Terminal>, void, undefined> {
    if (this.#crash) {
      onFree()
      throw this.#crash
    }
    const id = ++this.#lastId
    const inbox: Inbox = { replies: [], onFree, wake: () => {} }
    const wake = () => inbox.wake()
    this.#inboxes.set(id, inbox)
    signal?.addEventListener('abort', wake)
    try {
      this.#send({ type: 'request', id, request })
      for (;;) {
        signal?.throwIfAborted()
        const reply = inbox.replies.shift()
        if (reply?.type === 'refused') throw new EngineRefusal(reply.code, reply.message, reply.numbers)
        if (reply?.type === 'failed') throw new Error(`the llama engine failed: ${reply.message}`)
        if (reply?.type === 'ended') return
        if (reply) yield reply
        else if (inbox.crash) throw inbox.crash
        else
          await new Promise<void>((resolve) => {
            inbox.wake = resolve
          })
      }
    } finally {
      signal?.removeEventListener('abort', wake)
      inbox.left = true
      if (this.#inboxes.has(id)) this.#send({ type: 'cancel', id })
    }
  }

  #deliver(id: number, reply: Message.Reply): void {
    const inbox = this.#inboxes.get(id)
    if (!inbox) return
    if (reply.type === 'ended' || reply.type === 'refused' || reply.type === 'failed') {
      this.#inboxes.delete(id)
      inbox.onFree()
    }
    if (inbox.left) return
    inbox.replies.push(reply)
    inbox.wake()
  }

  #send(message: Message.Downward): void {
    if (this.#child.connected) this.#child.send(message)
  }

  /** Lets the child go and waits until it is gone. */
  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), Params.exitTimeoutMs)
    await this.closed
    clearTimeout(timer)
  }
}

/** Resolves when the process is gone, with how it went and the last that it wrote to standard error. */
function watch(child: ChildProcess): Promise<EngineCrashed> {
  let diagnostics = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    diagnostics = (diagnostics + text).slice(-Params.diagnosticsCharactersMax)
  })
  return new Promise((resolve) => {
    const gone = (code: number | null, signal: string | null) =>
      resolve(
        new EngineCrashed('the llama engine stopped', { code, signal, diagnostics: diagnostics.trim() }),
      )
    // Not `close`: Node 24 does not emit it once the parent has disconnected. A turn later, what stood in the pipe is read.
    child.once('exit', (code, signal) => setImmediate(gone, code, signal))
    // A process that never started has no `exit`; with one that lives, a failed send is told by its end.
    child.on('error', (error) => {
      diagnostics += error.message
      if (child.pid === undefined) gone(null, null)
    })
  })
}
