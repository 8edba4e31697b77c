import * as Rows from '../../src/ledger/Rows.ts'
import { conform } from './Conformance.ts'

conform('of rows', ({ database }) => Rows.create(database))
