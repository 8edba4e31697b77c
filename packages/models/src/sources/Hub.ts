import type { Ports, Source } from '../Source.ts'
import { SourceSyntaxError } from '../SourceError.ts'
import * as Http from './Http.ts'

const publicHub = 'https://huggingface.co'
const name = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/
/** Branch, tag or commit; git forbids more than this does, and the hub answers 404 to what it does not know. */
const revisionForm = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$/

/**
 * `hf:owner/repo/path@revision`: the hub's resolve address, `<hub>/<owner>/<repo>/resolve/<revision>/<path>`. The
 * revision follows the last `@` and is `main` when there is none.
 */
export function parse(uri: string, ports: Ports): Source {
  return { ...Http.parse(toUrl(uri, ports.hub ?? publicHub), ports), uri }
}

/** @example Hub.toUrl('hf:owner/repo/a/b.gguf@v1', 'https://hub.example') // 'https://hub.example/owner/repo/resolve/v1/a/b.gguf' */
export function toUrl(uri: string, hub: string): string {
  const rest = uri.slice('hf:'.length)
  const mark = rest.lastIndexOf('@')
  const location = mark < 0 ? rest : rest.slice(0, mark)
  const revision = mark < 0 ? 'main' : rest.slice(mark + 1)
  const [owner = '', repo = '', ...path] = location.split('/')
  if (!name.test(owner) || !name.test(repo))
    throw new SourceSyntaxError(uri, 'names no owner and repository of a hub')
  if (!revisionForm.test(revision)) throw new SourceSyntaxError(uri, 'names no revision after the @')
  if (path.length === 0 || path.some((part) => part === '' || part === '.' || part === '..')) {
    throw new SourceSyntaxError(uri, 'names no file in the repository')
  }
  if (!path.join('').isWellFormed()) throw new SourceSyntaxError(uri, 'is not well-formed text')
  const parts = [owner, repo, 'resolve', revision, ...path].map(encodeURIComponent)
  return `${hub.replace(/\/+$/, '')}/${parts.join('/')}`
}
