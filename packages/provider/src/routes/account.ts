import { Bytes, ProviderHttp, Refusal } from '@counterfoil/protocol'
import * as Access from '../Access.ts'
import * as Channel from '../Channel.ts'
import * as ChannelCache from '../ChannelCache.ts'
import * as Body from '../http/Body.ts'
import * as Reply from '../http/Reply.ts'
import * as Params from '../Params.ts'
import * as Settlement from '../Settlement.ts'
import * as Claims from '../store/Claims.ts'
import { type Call, digest, type Route } from './Route.ts'

// A channel's access, its vouchers and where it stands.

export const account: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/v1\/access\/challenge$/,
    handle({ provider, response }) {
      Reply.json(response, { challenge: Access.challenge(provider.access) })
    },
  },
  {
    method: 'POST',
    path: /^\/v1\/access$/,
    async handle({ provider, request, response }) {
      const signed = await Body.read(request, Params.accessBodyBytesMax, ProviderHttp.readAccess)
      Reply.json(response, await Access.grant(provider.access, signed))
    },
  },
  {
    method: 'POST',
    path: /^\/v1\/vouchers$/,
    async handle({ provider, request, response }) {
      const { authorization } = request.headers
      Access.channelOf(provider.access, authorization)
      const post = await Body.read(request, Params.voucherBodyBytesMax, ProviderHttp.readVoucherPost)
      Access.demand(provider.access, authorization, post.voucher.voucher.channel)
      Reply.json(response, ProviderHttp.channelStateToJson(await Settlement.settle(provider, post)))
    },
  },
  {
    method: 'GET',
    path: new RegExp(`^/v1/channels/${digest}$`),
    async handle(call) {
      const id = own(call)
      const channel = await ChannelCache.ours(call.provider.channels, id)
      Reply.json(call.response, ProviderHttp.channelStateToJson(Channel.state(call.provider, id, channel)))
    },
  },
  {
    method: 'GET',
    path: new RegExp(`^/v1/channels/${digest}/unpaid$`),
    handle(call) {
      const ends = Claims.unpaid(call.provider.store, own(call), ProviderHttp.unpaidMax, afterOf(call))
      Reply.json(call.response, { claims: ends.map(ProviderHttp.endToJson) })
    },
  },
]

/** `?key={keyId}&after={sequence}`: where the last list ended. */
function afterOf({ request }: Call): { readonly keyId: Bytes.Hex; readonly sequence: bigint } | undefined {
  const query = new URLSearchParams((request.url ?? '').split('?')[1] ?? '')
  const [keyId, sequence] = [query.get('key'), query.get('after')]
  if (keyId === null && sequence === null) return undefined
  if (!Bytes.isHex(keyId, 32) || sequence === null || !/^(0|[1-9][0-9]{0,17})$/.test(sequence))
    throw new Refusal.RefusedError(
      Refusal.of(
        'invalid_value',
        'key must be a keyId and after a sequence number of it; give both.',
        'after',
      ),
    )
  return { keyId, sequence: BigInt(sequence) }
}

function own({ provider, request, params }: Call): Bytes.Hex {
  const id = params[0] as Bytes.Hex
  Access.demand(provider.access, request.headers.authorization, id)
  return id
}
