import { Bytes, Digest, type Job } from '@counterfoil/protocol'
import type { Behaviour } from '../Behaviour.ts'
import { provider } from './Serving.ts'

// Cheats with the declared weights and another sampler than the one asked for.

const changing = (
  name: string,
  title: string,
  change: (job: Job.Job) => Job.Job,
  tokens = 2_500,
): Behaviour => ({
  name,
  kind: 'cheat',
  title,
  tokens,
  mix: 'plain',
  open: async (lab) => provider(await lab.engine('declared'), change),
})

export const temperature = changing('temperature', 'temperature 0.8 for 1', (job) => ({
  ...job,
  temperature: 0.8,
}))

/** So near to what was asked that the lab lists it as a hole. */
export const temperature09 = changing(
  'temperature-0.9',
  'temperature 0.9 for 1',
  (job) => ({ ...job, temperature: 0.9 }),
  1_500,
)

export const topP = changing('top-p', 'top-p 0.9 for 1', (job) => ({ ...job, topP: 0.9 }))

export const ownNoise = changing('own-noise', "its own noise instead of the client's", (job) => ({
  ...job,
  samplerSeed: Bytes.toHex(Digest.sha256(Bytes.fromText(`own noise ${job.samplerSeed}`))),
}))
