import { access, copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import * as Binding from './Binding.ts'

/** The one CPU library of the exact runtime: no fused multiply-add, whose rounding differs between processors' vector widths. */
const library = 'libggml-cpu-sse42.so'

/**
 * A copy of the platform's binding package in which `libggml-cpu-sse42.so` is the only CPU library, so that llama.cpp has
 * no faster one to choose. Prefill and decode are then equal bit for bit. Made once; node_modules stays as it is.
 * @throws Error on platforms for which that library does not exist.
 */
export async function prepareFolder(cacheFolder: string): Promise<string> {
  const name = Binding.platformPackage()
  if (name !== '@node-llama-cpp/linux-x64')
    throw new Error(`the exact runtime exists on linux-x64 only, this is ${process.platform}-${process.arch}`)
  const require = createRequire(createRequire(import.meta.url).resolve('node-llama-cpp'))
  const source = dirname(dirname(require.resolve(name)))
  const { version } = require(join(source, 'package.json'))
  const folder = join(cacheFolder, `llama-exact-${version}`)
  if (await exists(folder)) return folder
  // Made beside and renamed, so that no half copy is ever used. What is loaded from it is digested into the runtime.
  const making = `${folder}.${process.pid}`
  for (const part of ['dist', 'bins/linux-x64']) {
    await mkdir(join(making, part), { recursive: true })
    for (const file of await readdir(join(source, part)))
      if (!/^libggml-cpu-/.test(file) || file === library)
        await copyFile(join(source, part, file), join(making, part, file))
  }
  await copyFile(join(source, 'package.json'), join(making, 'package.json'))
  try {
    await rename(making, folder)
  } catch (error) {
    await rm(making, { recursive: true })
    // Somebody else was faster: theirs is the same.
    if (!(await exists(folder))) throw error
  }
  return folder
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
