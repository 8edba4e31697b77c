import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Source, SourceSyntaxError } from '../src/index.ts'
import * as Params from '../src/Params.ts'
import * as Hub from '../src/sources/Hub.ts'
import * as LocalFile from '../src/sources/LocalFile.ts'

const word = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/)
const part = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => text.isWellFormed() && !text.includes('/') && text !== '.' && text !== '..')

describe('Source.parse', () => {
  test('gives a source that bears its text, or says what is wrong with it', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .tuple(fc.constantFrom('hf:', 'https://', 'http:', 'pypi:', 'file:', 'ftp:'), fc.string())
        .map((two) => two.join('')),
    )
    fc.assert(
      fc.property(anything, (uri) => {
        try {
          expect(Source.parse(uri).uri).toBe(uri)
        } catch (error) {
          expect(error).toBeInstanceOf(SourceSyntaxError)
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('a hub file becomes an address from which owner, repository, revision and path can be read back', () => {
    fc.assert(
      fc.property(
        word,
        word,
        word,
        fc.array(part, { minLength: 1, maxLength: 4 }),
        (owner, repo, revision, path) => {
          const uri = `hf:${owner}/${repo}/${path.join('/')}@${revision}`
          const url = new URL(Hub.toUrl(uri, 'https://hub.example/'))
          expect(url.origin).toBe('https://hub.example')
          expect(url.pathname.split('/').slice(1).map(decodeURIComponent)).toEqual([
            owner,
            repo,
            'resolve',
            revision,
            ...path,
          ])
        },
      ),
    )
  })

  test('a hub file without a revision is on main', () => {
    expect(Hub.toUrl('hf:o/r/a/b.gguf', 'https://hub.example')).toBe(
      'https://hub.example/o/r/resolve/main/a/b.gguf',
    )
  })

  test('a path and its URL are the same file', () => {
    expect(LocalFile.toPath('file:/a/b c.gguf')).toBe(resolve('/a/b c.gguf'))
    expect(LocalFile.toPath(pathToFileURL('/a/b c#1.gguf').href)).toBe(resolve('/a/b c#1.gguf'))
    expect(LocalFile.toPath('file:b.gguf')).toBe(resolve('b.gguf'))
  })

  test.each([
    '',
    'model.gguf',
    'ftp://host/model.gguf',
    'hf:owner/repo',
    'hf:owner/repo/',
    'hf:owner/repo/../secret',
    'hf:owner/repo/a//b',
    'hf:owner/repo/a@',
    'hf:../repo/a',
    'https:',
    'https:///path',
    'https://user:secret@host/model.gguf',
    'pypi:package#member',
    'pypi:package==1',
    'pypi:package==1#',
    'pypi:--index-url==1#m',
    'pypi:package==1 --pre#m',
    'pypi:package @ https://host/x.whl==1#m',
    'file:',
    'file://otherhost/model.gguf',
    `https://host/${'a'.repeat(Params.sourceUriLengthMax)}`,
  ])('refuses %s', (uri) => {
    expect(() => Source.parse(uri)).toThrow(SourceSyntaxError)
  })

  test('does not repeat a password in its error', () => {
    expect(() => Source.parse('https://user:secret@host/model.gguf')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    )
  })
})
