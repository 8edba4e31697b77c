import { Params as Protocol, Sampler } from '@counterfoil/protocol'
import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import type * as Engine from '../Engine.ts'
import * as Params from '../Params.ts'
import { Answer } from './Answer.ts'
import * as Logits from './Logits.ts'
import type * as Message from './Message.ts'
import type { Model } from './Model.ts'
import * as Vocabulary from './Vocabulary.ts'

/** Runs requests on a loaded model; `emit` sends a reply upward. The caller never runs more at once than there are sequences. */
export class Worker {
  readonly #model: Model
  readonly #emit: (id: number, reply: Message.Reply) => void
  readonly #sequences: LlamaContextSequence[]
  readonly #running = new Map<number, AbortController>()

  constructor(model: Model, emit: (id: number, reply: Message.Reply) => void) {
    this.#model = model
    this.#emit = emit
    this.#sequences = Array.from({ length: model.ready.limits.sequences }, () => model.context.getSequence())
  }

  cancel(id: number): void {
    this.#running.get(id)?.abort()
  }

  /** Never rejects: whatever happens is told by the terminal reply. */
  async run(id: number, request: Message.Request): Promise<void> {
    const cancelled = new AbortController()
    this.#running.set(id, cancelled)
    let last: Message.Terminal
    try {
      last = await this.#answer(id, request, cancelled.signal)
    } catch (error) {
      last = { type: 'failed', message: error instanceof Error ? error.message : String(error) }
    }
    this.#running.delete(id)
    this.#emit(id, last)
  }

  async #answer(id: number, request: Message.Request, signal: AbortSignal): Promise<Message.Terminal> {
    if (request.type === 'prepare') return this.#prepare(id, request)
    const sequence = this.#sequences.pop()
    if (!sequence) throw new Error('no sequence is free; the engine sent more work than it has sequences')
    try {
      if (request.type === 'generate') await this.#generate(id, request, sequence, signal)
      else await this.#score(id, request, sequence, signal)
      return { type: 'ended' }
    } finally {
      await sequence.clearHistory().catch(die)
      this.#sequences.push(sequence)
    }
  }

  #prepare(id: number, request: Extract<Message.Request, { type: 'prepare' }>): Message.Terminal {
    const { model, template, tokenBytesMax, ready } = this.#model
    if (!template)
      return {
        type: 'refused',
        code: 'invalid_value',
        message: 'this model has no chat template and takes no messages',
      }
    let prompt: string
    try {
      prompt = template.render({
        messages: request.messages,
        bos: model.tokens.bosString ?? '',
        eos: model.tokens.eosString ?? '',
        startedMs: request.startedMs,
      })
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      return {
        type: 'refused',
        code: 'invalid_value',
        message: `the model's chat template refuses these messages: ${why}`,
      }
    }
    const { contextLength } = ready.limits
    // Tokenising blocks all jobs of this process, so what cannot fit is refused by its length.
    const leastTokens = Math.ceil(Buffer.byteLength(prompt) / tokenBytesMax)
    if (leastTokens >= contextLength) return overflow(leastTokens, contextLength, 'at least ')
    const promptTokens = model.tokenize(prompt, true)
    if (promptTokens.length >= contextLength) return overflow(promptTokens.length, contextLength, '')
    this.#emit(id, { type: 'prepared', promptTokens })
    return { type: 'ended' }
  }

  async #generate(
    id: number,
    request: Message.Generate,
    sequence: LlamaContextSequence,
    signal: AbortSignal,
  ): Promise<void> {
    const { model, entry } = this.#model
    const answer = new Answer(request.stop)
    const width = Math.max(Protocol.samplerCandidates, request.alternatives) + Params.tieMarginLogits
    let [next] = await this.#evaluate(
      sequence,
      request.prompt,
      request.prompt.length - 1,
      () => ({ width }),
      signal,
    )
    for (let position = 0; next && !signal.aborted; position += 1) {
      const token = Sampler.choose({
        candidates: next.candidates,
        temperature: request.temperature,
        topP: request.topP,
        seed: request.samplerSeed,
        choice: 0,
        position,
      })
      const bytes = Vocabulary.toBytes(entry(token))
      const pushed = answer.push(bytes)
      const stopped = pushed.stopped || model.isEogToken(token as Token)
      const finish = stopped ? 'stop' : position + 1 >= request.outputTokensMax ? 'length' : undefined
      const step: Engine.Step = {
        choice: 0,
        token,
        text: finish !== undefined && !pushed.stopped ? pushed.text + answer.end() : pushed.text,
        bytes,
        logprob: Logits.logprob(next, token),
        ...(request.alternatives > 0 && { top: this.#alternatives(next, request.alternatives) }),
        ...(finish !== undefined && { finish }),
      }
      this.#emit(id, { type: 'step', step })
      if (finish !== undefined) return
      ;[next] = await this.#evaluate(sequence, [token], 0, () => ({ width }), signal)
    }
  }

  #alternatives(next: Logits.Next, count: number): readonly Engine.Alternative[] {
    return next.candidates.slice(0, count).map(({ id: token }) => {
      const entry = this.#model.entry(token)
      const bytes = Vocabulary.toBytes(entry)
      const text =
        entry.reading === 'hidden' ? entry.text : new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
      return { token, text, bytes, logprob: Logits.logprob(next, token) }
    })
  }

  async #score(
    id: number,
    request: Extract<Message.Request, { type: 'score' }>,
    sequence: LlamaContextSequence,
    signal: AbortSignal,
  ): Promise<void> {
    const first = request.prompt.length - 1
    const input = [...request.prompt, ...request.tokens.slice(0, -1)]
    const width = Math.max(1, request.top) + Params.tieMarginLogits
    const tokenAt = (index: number) => request.tokens[index - first]
    const ask = (index: number) => ({ width, token: tokenAt(index) })
    await this.#evaluate(sequence, input, first, ask, signal, (nexts, start) => {
      const scored = nexts.map((next, i) => {
        const token = tokenAt(start + i) ?? 0
        return {
          token,
          logit: Logits.of(next, token),
          logprob: Logits.logprob(next, token),
          top: next.candidates.slice(0, request.top),
        }
      })
      this.#emit(id, { type: 'scored', scored })
    })
  }

  /**
   * Evaluates tokens in chunks and returns what the model says after each from index `first` on; with `sink` each chunk's
   * goes there instead. Stops between two chunks when cancelled.
   */
  async #evaluate(
    sequence: LlamaContextSequence,
    tokens: readonly number[],
    first: number,
    ask: (index: number) => { readonly width: number; readonly token?: number | undefined },
    signal: AbortSignal,
    sink?: (nexts: readonly Logits.Next[], start: number) => void,
  ): Promise<readonly Logits.Next[]> {
    const all: Logits.Next[] = []
    for (let start = 0; start < tokens.length && !signal.aborted; start += Params.prefillChunkTokens) {
      const chunk = tokens.slice(start, start + Params.prefillChunkTokens)
      const outputs = await sequence.controlledEvaluate(
        chunk.map((token, i) =>
          start + i < first ? (token as Token) : [token as Token, Logits.question(ask(start + i))],
        ),
      )
      const from = Math.max(first, start)
      // Not map: where llama.cpp returned nothing, the array has a hole, and that is an error.
      const nexts = Array.from({ length: start + chunk.length - from }, (_, i) =>
        Logits.read(outputs[from - start + i]?.next),
      )
      if (!sink) all.push(...nexts)
      else if (nexts.length > 0) sink(nexts, from)
    }
    return all
  }
}

/** A sequence that cannot be cleared would be lost for good, or mix two jobs: a new process is better. */
function die(error: unknown): never {
  console.error(error)
  process.exit(1)
}

function overflow(promptTokens: number, contextLength: number, atLeast: string): Message.Terminal {
  const message =
    `the prompt has ${atLeast}${promptTokens} tokens and leaves no room for an answer in this model's context of ` +
    `${contextLength} tokens; shorten the messages`
  return {
    type: 'refused',
    code: 'context_length_exceeded',
    message,
    numbers: { promptTokens, contextLength },
  }
}
