// Writes claims as fast as it can and tells each one after it is on the disk, until somebody kills it.
import { writeSync } from 'node:fs'
import { Claim } from '@counterfoil/protocol'
import * as Claims from '../src/store/Claims.ts'
import * as Sequence from '../src/store/Sequence.ts'
import * as Store from '../src/store/Store.ts'
import { end, keyId, salts } from './Ends.ts'

const [dir = '', firstEpoch = '0'] = process.argv.slice(2)
const store = Store.open(dir)
const sequence = Sequence.open(store, keyId)
for (let i = 0; ; i++) {
  const made = end(Sequence.take(sequence, BigInt(firstEpoch) + BigInt(Math.floor(i / 40))))
  Claims.insert(store, made, salts)
  const { claim } = made.receipt
  writeSync(1, `${claim.sequence} ${claim.epoch} ${Claim.id(claim)}\n`)
}
