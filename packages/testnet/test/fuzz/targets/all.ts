import type { Target } from '../Target.ts'
import { answers } from './answers.ts'
import { auditor } from './auditor.ts'
import { files } from './files.ts'
import { gateway } from './gateway.ts'
import { layouts } from './layouts.ts'
import { nouns } from './nouns.ts'
import { proofs } from './proofs.ts'
import { provider } from './provider.ts'
import { streams } from './streams.ts'

/** Every target by the order in which it runs: what needs a database or a socket comes last. */
export const all: readonly Target[] = [
  ...nouns,
  ...layouts,
  ...proofs,
  ...streams,
  ...answers,
  ...files,
  ...gateway,
  ...provider,
  ...auditor,
]
