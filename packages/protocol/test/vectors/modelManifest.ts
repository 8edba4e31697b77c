import { Bytes, Canonical, ModelManifest } from '../../src/index.ts'
import * as Example from '../Example.ts'
import { type Case, invalidJson, type Vectors } from './Vectors.ts'

const fill = (byte: string): Bytes.Hex => `0x${byte.repeat(32)}`
const file = { path: 'a', size: 1, sha256: fill('01'), role: 'weights' }

function valid(name: string, json: unknown): Case {
  const manifest = ModelManifest.decode(json)
  return { name, manifest, canonical: Canonical.encode(manifest), id: ModelManifest.id(manifest) }
}

export const modelManifest: Vectors = {
  valid: [
    valid('one file', Example.manifest),
    valid('several files and parents', {
      ...Example.manifest,
      name: 'größer',
      format: 'onnx',
      files: [
        { ...file, path: 'config.json', role: 'config' },
        { ...file, path: 'onnx/model.onnx', size: Number.MAX_SAFE_INTEGER },
        { ...file, path: 'tokenizer.json', size: 0, role: 'tokenizer' },
      ],
      parents: [
        { model: fill('aa'), relation: 'finetune' },
        { model: fill('bb'), relation: 'merge' },
      ],
    }),
    valid('a circuit without template and tokenizer', {
      ...Example.manifest,
      format: 'circuit',
      chatTemplate: Bytes.zero32,
      tokenizer: Bytes.zero32,
    }),
  ],
  invalid: invalidJson(Example.manifest, [
    ['another schema', ['schema'], 'counterfoil/model/2', 'range', '$.schema'],
    ['no name', ['name'], undefined, 'missing', '$.name'],
    ['a name of 1025 bytes', ['name'], 'x'.repeat(1025), 'too-long', '$.name'],
    ['a name of 513 two-byte letters', ['name'], 'é'.repeat(513), 'too-long', '$.name'],
    ['half a character', ['license'], '\ud800', 'unicode', '$.license'],
    ['an unknown format', ['format'], 'safetensors', 'range', '$.format'],
    ['no context', ['contextLength'], 0, 'range', '$.contextLength'],
    ['a context past the limit', ['contextLength'], 16_777_217, 'range', '$.contextLength'],
    ['a digest without 0x', ['tokenizer'], '00'.repeat(32), 'hex', '$.tokenizer'],
    ['a digest in upper case', ['tokenizer'], `0x${'AA'.repeat(32)}`, 'hex', '$.tokenizer'],
    ['no files', ['files'], [], 'missing', '$.files'],
    ['4097 files', ['files'], Array(4097).fill(0), 'too-many', '$.files'],
    ['17 parents', ['parents'], Array(17).fill(0), 'too-many', '$.parents'],
    [
      'an unknown relation',
      ['parents'],
      [{ model: fill('aa'), relation: 'copy' }],
      'range',
      '$.parents[0].relation',
    ],
    ['a file of negative size', ['files', 0, 'size'], -1, 'range', '$.files[0].size'],
    ['a file of fractional size', ['files', 0, 'size'], 1.5, 'range', '$.files[0].size'],
    ['an unknown role', ['files', 0, 'role'], 'malware', 'range', '$.files[0].role'],
    ['an absolute path', ['files', 0, 'path'], '/etc/passwd', 'range', '$.files[0].path'],
    ['a path upwards', ['files', 0, 'path'], 'a/../b', 'range', '$.files[0].path'],
    ['a path of a dot', ['files', 0, 'path'], './a', 'range', '$.files[0].path'],
    ['an empty path', ['files', 0, 'path'], '', 'range', '$.files[0].path'],
    ['a path with a back-slash', ['files', 0, 'path'], 'a\\b', 'range', '$.files[0].path'],
    ['a path with a zero byte', ['files', 0, 'path'], 'a\0b', 'range', '$.files[0].path'],
    ['a path twice', ['files'], [file, file], 'duplicate', '$.files[1].path'],
    ['paths out of order', ['files'], [{ ...file, path: 'b' }, file], 'order', '$.files[1].path'],
  ]),
}
