import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  Access,
  Batch,
  type Bytes,
  Decode,
  Job,
  Key,
  ModelManifest,
  Network,
  Offer,
  Output,
  Params,
  Policy,
  Receipt,
  Runtime,
  Trace,
  Transcript,
  Voucher,
} from '../src/index.ts'
import * as Arbitrary from './Arbitrary.ts'
import * as Example from './Example.ts'
import * as Jcs from './reference/Jcs.ts'
import { H, unhex } from './reference/NodeCrypto.ts'
import { read } from './vectors/read.ts'

/** Every noun that comes as JSON, with its decoder. */
const decoders: Readonly<Record<string, (value: unknown) => unknown>> = {
  access: Access.fromJson,
  batch: Batch.fromJson,
  job: Job.decode,
  key: Key.fromJson,
  'model-manifest': ModelManifest.decode,
  network: Network.fromJson,
  offer: Offer.fromJson,
  output: Output.decode,
  receipt: Receipt.fromJson,
  runtime: Runtime.decode,
  trace: Trace.fromJson,
  transcript: Transcript.fromJson,
  verdict: Policy.decode,
  voucher: Voucher.fromJson,
}

type Invalid = { readonly json?: unknown; readonly error: string; readonly at?: string }

describe.each(Object.entries(decoders))('%s as JSON', (noun, decode) => {
  const cases = read<Invalid>(noun, 'invalid').filter((one) => 'json' in one)

  it('has invalid cases', () => {
    expect(cases.length).toBeGreaterThan(0)
  })

  it.each(cases)('refuses $name', ({ json, error, at }) => {
    expect(() => decode(json)).toThrow(
      expect.objectContaining({ name: 'DecodeError', code: error, ...(at && { at }) }),
    )
  })

  it('never throws anything else', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          decode(value)
        } catch (error) {
          expect(error).toBeInstanceOf(Decode.DecodeError)
        }
      }),
    )
  })
})

type Digested = {
  readonly manifest?: unknown
  readonly runtime?: unknown
  readonly job?: unknown
  readonly output?: unknown
  readonly salt?: Bytes.Hex
  readonly canonical?: string
  readonly id?: Bytes.Hex
  readonly digest?: Bytes.Hex
}

describe('digests of JSON nouns', () => {
  it.each(read<Digested>('model-manifest', 'valid'))('manifest: $name', ({ manifest, canonical, id }) => {
    expect(ModelManifest.id(ModelManifest.decode(manifest))).toBe(id)
    expect(Jcs.encode(manifest)).toBe(canonical)
    expect(H('model', Jcs.encode(manifest))).toBe(id)
  })

  it.each(read<Digested>('runtime', 'valid'))('runtime: $name', ({ runtime, canonical, id }) => {
    expect(Runtime.id(Runtime.decode(runtime))).toBe(id)
    expect(Jcs.encode(runtime)).toBe(canonical)
    expect(H('runtime', Jcs.encode(runtime))).toBe(id)
  })

  it.each(read<Digested>('job', 'valid'))('job: $name', ({ job, salt = '0x', digest }) => {
    expect(Job.digest(Job.decode(job), salt)).toBe(digest)
    expect(H('request', unhex(salt), Jcs.encode(job))).toBe(digest)
  })

  it.each(read<Digested>('output', 'valid'))(
    'output: $name',
    ({ output, salt = '0x', canonical, digest }) => {
      expect(Output.digest(Output.decode(output), salt)).toBe(digest)
      expect(Jcs.encode(output)).toBe(canonical)
      expect(H('answer', unhex(salt), Jcs.encode(output))).toBe(digest)
    },
  )
})

describe('what was decoded is what was given', () => {
  const wire = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

  it('jobs', () => {
    fc.assert(
      fc.property(Arbitrary.job, (job) => {
        expect(Job.decode(wire(job))).toEqual(job)
      }),
    )
  })

  it('outputs', () => {
    fc.assert(
      fc.property(Arbitrary.output, (output) => {
        expect(Output.decode(wire(output))).toEqual(output)
      }),
    )
  })

  it('transcripts', () => {
    fc.assert(
      fc.property(
        Arbitrary.receipt,
        Arbitrary.job,
        Arbitrary.output,
        Arbitrary.tokens,
        (receipt, job, output, tokens) => {
          const transcript: Transcript.Transcript = {
            ...Example.transcript,
            receipt,
            job,
            output,
            trace: Trace.encode([tokens]),
          }
          expect(Transcript.fromJson(wire(Transcript.toJson(transcript)))).toEqual(transcript)
        },
      ),
      { numRuns: 50 },
    )
  })

  it.each(read<{ readonly transcript: unknown; readonly id: Bytes.Hex }>('transcript', 'valid'))(
    'transcript: $name',
    ({ transcript, id }) => {
      expect(Transcript.id(Transcript.fromJson(transcript))).toBe(id)
      expect(Transcript.toJson(Transcript.fromJson(transcript))).toEqual(transcript)
    },
  )

  it('keys, networks, batches, policies', () => {
    for (const { key } of read<{ readonly key: unknown }>('key', 'valid'))
      expect(Key.fromJson(key)).toEqual(key)
    for (const { network } of read<{ readonly network: unknown }>('network', 'valid'))
      expect(Network.fromJson(network)).toEqual(network)
    expect(Batch.fromJson(wire(Batch.toJson(Example.root)))).toEqual(Example.root)
    expect(Policy.decode({ least: 'committed' })).toEqual({ least: 'committed' })
  })
})

describe('whole sizes', () => {
  it('a job of more than 1 MiB is refused at its root, one of exactly that is taken', () => {
    const empty = Job.decode({ ...Example.job, messages: [{ role: 'user', content: '' }] })
    const room = Params.jobBytesMax - Jcs.encode(empty).length
    const filled = (length: number) => ({
      ...empty,
      messages: [{ role: 'user', content: 'x'.repeat(length) }],
    })
    expect(Job.decode(filled(room)).messages).toHaveLength(1)
    expect(() => Job.decode(filled(room + 1))).toThrow(
      expect.objectContaining({ code: 'too-long', at: '$', value: Params.jobBytesMax + 1 }),
    )
  })

  it('a manifest of more than 1 MiB is refused', () => {
    const files = Array.from({ length: 1100 }, (_, i) => ({
      ...Example.manifest.files[0],
      path: `${`${i}`.padStart(5, '0')}${'x'.repeat(1000)}`,
    }))
    expect(() => ModelManifest.decode({ ...Example.manifest, files })).toThrow(
      expect.objectContaining({ code: 'too-long', at: '$' }),
    )
    expect(ModelManifest.decode({ ...Example.manifest, files: files.slice(0, 800) }).files).toHaveLength(800)
  })

  it('an output of more than 16 MiB is refused', () => {
    const say = (content: string) => ({
      ...Example.output,
      choices: [{ finish: 'stop', message: { role: 'assistant', content } }],
    })
    expect(() => Output.decode(say('x'.repeat(Params.outputBytesMax)))).toThrow(
      expect.objectContaining({ code: 'too-long', at: '$' }),
    )
    expect(() => Output.decode(say('x'.repeat(Params.outputBytesMax + 1)))).toThrow(
      expect.objectContaining({ code: 'too-long', at: '$.choices[0].message.content' }),
    )
  })
})
