import { existsSync, readdirSync, readFileSync } from 'node:fs'

const spec = new URL('../../../../spec/vectors/', import.meta.url)
const published = new URL('../../../../../shared/vectors/', import.meta.url)

/** The committed cases of one noun, as any other implementation would read them; `T` is the shape its generator gave them. */
export function read<T>(noun: string, kind: 'valid' | 'invalid'): readonly ({ readonly name: string } & T)[] {
  const { cases } = JSON.parse(readFileSync(new URL(`${noun}/${kind}.json`, spec), 'utf8'))
  return cases
}

/** A folder of vectors that others published; undefined, and said, where it does not stand beside the repository. */
export function publishedFolder(name: string): URL | undefined {
  const folder = new URL(`${name}/`, published)
  if (existsSync(folder)) return folder
  console.log(
    `skipped: the published vectors of ${name} are not beside the repository; spec/vectors has cases of its own`,
  )
  return undefined
}

export function filesUnder(folder: URL): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .sort()
}
