import type { ServerResponse } from 'node:http'
import { Bytes, Receipt, Transcript } from '@counterfoil/protocol'
import * as Http from '../Http.ts'
import type { Context } from './Context.ts'

/**
 * `GET /v1/receipts/{id}`: receipt, salts, job, output, offer and trace, for the key that asked. The proof of inclusion is
 * attached once the root is on chain.
 */
export async function get(
  { database }: Context,
  keyId: string,
  id: string,
  response: ServerResponse,
): Promise<void> {
  // What is no id is not asked for: Postgres takes no NUL character.
  const found =
    Bytes.isHex(id, 32) &&
    (await database
      .selectFrom('receipts')
      .select(['transcript', 'inclusion'])
      .where('request', '=', id)
      .where('key_id', '=', keyId)
      // Dropped once the retention window has passed.
      .where('transcript', 'is not', null)
      .$narrowType<{ transcript: string }>()
      .executeTakeFirst())
  // The same answer for a receipt of somebody else: who holds an id learns nothing about it.
  if (!found)
    throw Http.refused(
      'receipt_not_found',
      'This key has no receipt with this id; it is in the x-receipt-id header of the answer, once that has ended.',
    )
  const transcript = Transcript.fromJson(JSON.parse(found.transcript))
  const evidence = found.inclusion === null ? [] : [JSON.parse(found.inclusion)]
  const receipt = Receipt.fromJson({ ...Object(Receipt.toJson(transcript.receipt)), evidence })
  Http.json(response, Transcript.toJson({ ...transcript, receipt }))
}
