import type { ServerResponse } from 'node:http'
import type { Model } from '../Directory.ts'
import * as Http from '../Http.ts'
import type { Context } from './Context.ts'
import { unknownModel } from './chat.ts'

/** `GET /v1/models` */
export function list({ directory }: Context, response: ServerResponse): void {
  Http.json(response, { object: 'list', data: directory.models().map(toJson) })
}

/** `GET /v1/models/{id}`, by label or by model id. */
export function get(context: Context, name: string, response: ServerResponse): void {
  const model = context.directory.resolve(name)
  if (!model) throw unknownModel(context, name)
  Http.json(response, toJson(model))
}

/** OpenAI's entry, and beside it what the name stands for: the caller's SDK derives its job from the id. */
function toJson({ id, manifest, offers, since }: Model): unknown {
  return {
    id: manifest?.name ?? id,
    object: 'model',
    created: since,
    owned_by: 'counterfoil',
    counterfoil: { model: id, ...(manifest ? { manifest } : {}), offers },
  }
}
