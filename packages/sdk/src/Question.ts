import { Bytes, ChatRequest, Job, Nonce, Refusal } from '@counterfoil/protocol'
import { fetchModels, type Gateway } from './Gateway.ts'

/** A chat completion as the caller asked for it: what the answer's receipt must be about. */
export type Question = {
  /** The receipt's id: the digest of the request. */
  readonly id: Bytes.Hex
  readonly nonce: Bytes.Hex
  readonly job: Job.Job
  readonly stream: boolean
}

/**
 * Derives the job of a request body, as the gateway must. Resolves the model's name by `models`, by name or by the pin.
 * @throws {RefusedError} where no gateway could take it, so that nothing is sent and nothing paid.
 */
export async function derive(
  text: string,
  nonce: Bytes.Hex,
  resolve: (name: string) => Promise<Bytes.Hex>,
): Promise<Question> {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw refused('invalid_json', 'The body is not JSON.', null)
  }
  const name = (body as { model?: unknown } | null)?.model
  if (typeof name !== 'string')
    throw refused('missing_required_parameter', `Missing required parameter: 'model'.`, 'model')
  const derived = ChatRequest.toJob(body, { model: await resolve(name), nonce })
  if (!derived.ok) throw new Refusal.RefusedError(derived.refusal)
  const { job, transport } = derived
  return { id: Job.digest(job, Nonce.salts(nonce).request), nonce, job, stream: transport.stream }
}

/** The model id that a request's `model` stands for: itself, the pin, or what the gateway's list says. */
export async function resolveModel(
  name: string,
  pin: Bytes.Hex | undefined,
  gateway: Gateway,
): Promise<Bytes.Hex> {
  if (Bytes.isHex(name, 32)) {
    if (pin && pin !== name)
      throw refused(
        'model_not_found',
        `The request names ${name}, but ${pin} is pinned; ask for one.`,
        'model',
      )
    return name
  }
  if (pin) return pin
  const models = await fetchModels(gateway)
  const found = models.find((model) => model.id === name)
  if (found) return found.model
  throw refused(
    'model_not_found',
    `The gateway lists no model '${name.slice(0, 64)}' with an id; it lists ${models.map((model) => model.id).join(', ') || 'none'}.`,
    'model',
  )
}

function refused(code: Refusal.Code, message: string, param: string | null): Refusal.RefusedError {
  return new Refusal.RefusedError(Refusal.of(code, message, param))
}
