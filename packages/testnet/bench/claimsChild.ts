// Fills a provider's store with claims and their answers, says so, and goes on writing until it is killed.
import { readFileSync } from 'node:fs'
import * as SigningKey from '../../provider/src/SigningKey.ts'
import * as Claims from '../../provider/src/store/Claims.ts'
import * as Sequence from '../../provider/src/store/Sequence.ts'
import * as Store from '../../provider/src/store/Store.ts'
import * as FakeClaims from './FakeClaims.ts'

const [dir = '', pem = '', count = '0', epoch = '0'] = process.argv.slice(2)
const { keyId } = SigningKey.fromPem(readFileSync(pem, 'utf8'))
const store = Store.open(dir)
Store.mark(store)
const { salts, next } = FakeClaims.create(Sequence.open(store, keyId), BigInt(epoch))

const group = 1000
for (let made = 0; made < Number(count); made += group)
  Store.transaction(store, () => {
    // Numbers are reserved in the same transaction here: nobody is told of them before it ends.
    for (let i = 0; i < group; i++) Claims.insert(store, next(), salts)
  })
process.send?.({ ready: true, keyId })
for (;;) Claims.insert(store, next(), salts)
