/**
 * Why a boundary refuses: `code` for machines, `message` for people (what, with which value, what to do), `param` the
 * request field at fault. Expected, so it is returned or carried, never a surprise.
 */
export type Refusal = {
  readonly code: Code
  readonly message: string
  readonly param: string | null
}

/** Every refusal code with its HTTP status and, at the OpenAI boundary, its `type`. `spec/refusals.md` explains each. */
export const codes = {
  invalid_json: { status: 400, type: 'invalid_request_error' },
  invalid_utf8: { status: 400, type: 'invalid_request_error' },
  invalid_type: { status: 400, type: 'invalid_request_error' },
  invalid_value: { status: 400, type: 'invalid_request_error' },
  missing_required_parameter: { status: 400, type: 'invalid_request_error' },
  unknown_parameter: { status: 400, type: 'invalid_request_error' },
  unsupported_parameter: { status: 400, type: 'invalid_request_error' },
  invalid_nonce: { status: 400, type: 'invalid_request_error' },
  context_length_exceeded: { status: 400, type: 'invalid_request_error' },
  output_limit_exceeded: { status: 400, type: 'invalid_request_error' },
  body_too_large: { status: 413, type: 'invalid_request_error' },
  unsupported_media_type: { status: 415, type: 'invalid_request_error' },
  invalid_api_key: { status: 401, type: 'authentication_error' },
  access_denied: { status: 401, type: 'authentication_error' },
  access_expired: { status: 401, type: 'authentication_error' },
  insufficient_quota: { status: 429, type: 'insufficient_quota' },
  rate_limit_exceeded: { status: 429, type: 'rate_limit_error' },
  model_not_found: { status: 404, type: 'invalid_request_error' },
  receipt_not_found: { status: 404, type: 'invalid_request_error' },
  not_found: { status: 404, type: 'invalid_request_error' },
  method_not_allowed: { status: 405, type: 'invalid_request_error' },
  offer_expired: { status: 409, type: 'invalid_request_error' },
  request_in_progress: { status: 409, type: 'invalid_request_error' },
  idempotency_key_reused: { status: 422, type: 'invalid_request_error' },
  channel_unknown: { status: 402, type: 'payment_error' },
  channel_closing: { status: 402, type: 'payment_error' },
  credit_exceeded: { status: 402, type: 'payment_error' },
  deposit_exceeded: { status: 402, type: 'payment_error' },
  voucher_invalid: { status: 400, type: 'payment_error' },
  voucher_refused: { status: 409, type: 'payment_error' },
  queue_full: { status: 503, type: 'server_error' },
  no_provider: { status: 503, type: 'server_error' },
  claim_refused: { status: 502, type: 'server_error' },
  policy_not_met: { status: 502, type: 'server_error' },
  provider_failed: { status: 502, type: 'server_error' },
  provider_timeout: { status: 504, type: 'server_error' },
  engine_failed: { status: 500, type: 'server_error' },
  unavailable: { status: 503, type: 'server_error' },
  internal_error: { status: 500, type: 'server_error' },
} as const

export type Code = keyof typeof codes

export function isCode(value: unknown): value is Code {
  return typeof value === 'string' && Object.hasOwn(codes, value)
}

/**
 * The refusal in OpenAI's error shape, all four keys present as its clients require.
 * @example Refusal.toOpenAi({ code: 'invalid_json', message: 'The body is not JSON.', param: null })
 */
export function toOpenAi(refusal: Refusal): {
  readonly error: { message: string; type: string; param: string | null; code: string }
} {
  const { code, message, param } = refusal
  return { error: { message, type: codes[code].type, param, code } }
}

export function of(code: Code, message: string, param: string | null = null): Refusal {
  return { code, message, param }
}

/** A refusal on its way through code that can only throw. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super(refusal.message)
    this.refusal = refusal
  }
}
