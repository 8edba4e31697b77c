import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const openaiVersion = '3.52.0'

/** A Python with the real `openai` package, in a folder of its own that later runs find again; or why there is none. */
export async function withOpenai(): Promise<{ readonly python: string } | { readonly missing: string }> {
  const dir = join(homedir(), '.cache', 'counterfoil', `python-openai-${openaiVersion}`)
  const python = join(dir, 'bin', 'python')
  try {
    if (!existsSync(join(dir, 'ready'))) {
      await run('python3', ['-m', 'venv', '--clear', dir], { timeout: 120_000 })
      await run(
        python,
        ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `openai==${openaiVersion}`],
        { timeout: 240_000 },
      )
      await run('touch', [join(dir, 'ready')])
    }
    return { python }
  } catch (error) {
    const { stderr } = error as { stderr?: string }
    return {
      missing: `Python 3 with venv and pip and openai==${openaiVersion}: ${(stderr || String(error)).trim().slice(-300)}`,
    }
  }
}

export async function python(
  path: string,
  script: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const { stdout } = await run(path, ['-c', script], { env: { ...env }, timeout: 120_000 })
  return stdout
}
