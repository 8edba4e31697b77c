import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const found = spawnSync('python3', ['-m', 'pip', '--version'], { encoding: 'utf8' })

/** Why tests that need Python's pip are skipped, or undefined where it is there. */
export const missing =
  found.status === 0 ? undefined : `python3 with pip: ${found.error?.message ?? found.stderr.trim()}`

/** Writes `sample-1.0-py3-none-any.whl` with this member into a folder that pip's --find-links can take. */
export async function writeWheel(dir: string, member: string, bytes: Uint8Array): Promise<string> {
  const links = join(dir, 'links')
  await mkdir(links)
  await writeFile(join(dir, 'member'), bytes)
  const made = spawnSync('python3', [
    '-c',
    program,
    join(links, 'sample-1.0-py3-none-any.whl'),
    member,
    join(dir, 'member'),
  ])
  if (made.status !== 0) throw new Error(made.stderr.toString())
  return links
}

const program = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as wheel:
    wheel.write(sys.argv[3], sys.argv[2])
    wheel.writestr('sample-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: sample\\nVersion: 1.0\\n')
    wheel.writestr('sample-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('sample-1.0.dist-info/RECORD', '')
`
