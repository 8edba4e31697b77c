import { Reply } from '@counterfoil/http'

export const { json, refusal } = Reply
