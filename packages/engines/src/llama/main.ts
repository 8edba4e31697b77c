import { flushCompileCache } from 'node:module'
import type * as Message from './Message.ts'
import { load } from './Model.ts'
import { Worker } from './Worker.ts'

// The child of Connection.ts: a model in a process of its own, so that a crash in native code takes no job but its own down.

// The parent is gone or has let go. Nothing here needs saving, and native threads may be computing: leave at once.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))
// Ctrl-C reaches the whole process group; the parent finishes its jobs first and then lets go.
process.on('SIGINT', () => {})

let worker: Worker | undefined
let replies: (readonly [id: number, reply: Message.Reply])[] = []

/** Replies of one turn of the event loop travel as one message. */
function emit(id: number, reply: Message.Reply): void {
  if (replies.length === 0) {
    setImmediate(() => {
      send({ type: 'replies', replies })
      replies = []
    })
  }
  replies.push([id, reply])
}

function send(message: Message.Upward): void {
  process.send?.(message)
}

process.on('message', (message: Message.Downward) => {
  if (message.type === 'cancel') worker?.cancel(message.id)
  else if (message.type === 'request') void worker?.run(message.id, message.request)
  else void start(message.load)
})

async function start(options: Message.Load): Promise<void> {
  try {
    const model = await load(options)
    worker = new Worker(model, emit)
    send({ type: 'ready', ready: model.ready })
    // It is always killed; where NODE_COMPILE_CACHE is not set this does nothing.
    flushCompileCache()
  } catch (error) {
    send({ type: 'loadFailed', message: error instanceof Error ? error.message : String(error) })
  }
}
