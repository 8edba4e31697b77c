import { Bytes, ChatRequest, Job, Nonce, Refusal } from '@counterfoil/protocol'
import { fetchModels, type Gateway } from './Gateway.ts'

/** A chat completion as the caller asked for it: what the answer's receipt must be about. */
export type Question = {
  /** The receipt's id: the digest of the request. */
  readonly id: Bytes.Hex
  readonly nonce: Bytes.Hex
  readonly job: Job.Job
  readonly stream: boolean
  /** The model as the request names it, and its manifest where somebody showed one. */
  readonly name: string
  readonly manifest: unknown
}

/** What a model's name stands for. */
export type Named = { readonly id: Bytes.Hex; readonly manifest?: unknown }

/**
 * Derives the job of a request body, as the gateway must. Resolves the model's name by `models`, by name or by the pin.
 * @throws {RefusedError} where no gateway could take it, so that nothing is sent and nothing paid.
 */
export async function derive(
  text: string,
  nonce: Bytes.Hex,
  resolve: (name: string) => Promise<Named>,
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
  const named = await resolve(name)
  const derived = ChatRequest.toJob(body, { model: named.id, nonce })
  if (!derived.ok) throw new Refusal.RefusedError(derived.refusal)
  const { job, transport } = derived
  const id = Job.digest(job, Nonce.salts(nonce).request)
  return { id, nonce, job, stream: transport.stream, name, manifest: named.manifest }
}

/**
 * The model that a request's `model` stands for: itself, the pin, or what the gateway's list says. The list is read for the
 * manifest too, where that is needed.
 */
export async function resolveModel(
  name: string,
  pin: Bytes.Hex | undefined,
  gateway: Gateway,
  needsManifest: boolean,
): Promise<Named> {
  if (Bytes.isHex(name, 32)) {
    if (pin && pin !== name)
      throw refused(
        'model_not_found',
        `The request names ${name}, but ${pin} is pinned; ask for one.`,
        'model',
      )
    if (!needsManifest) return { id: name }
  } else if (pin && !needsManifest) return { id: pin }
  const models = await fetchModels(gateway)
  const id = Bytes.isHex(name, 32) ? name : pin
  // A manifest is believed by its digest only, so a pin stays what it is whatever the list says.
  if (id) return { id, manifest: models.find((model) => model.model === id)?.manifest }
  const found = models.find((model) => model.id === name)
  if (found) return { id: found.model, manifest: found.manifest }
  throw refused(
    'model_not_found',
    `The gateway lists no model '${name.slice(0, 64)}' with an id; it lists ${models.map((model) => model.id).join(', ') || 'none'}.`,
    'model',
  )
}

function refused(code: Refusal.Code, message: string, param: string | null): Refusal.RefusedError {
  return new Refusal.RefusedError(Refusal.of(code, message, param))
}
