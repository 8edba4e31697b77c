import * as Leases from '../../src/ledger/Leases.ts'
import { conform } from './Conformance.ts'

conform('of leases', (options) => Leases.create({ ...options, monotonicMs: () => performance.now() }))
