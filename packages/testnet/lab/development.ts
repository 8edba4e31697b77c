import { writeFileSync } from 'node:fs'
import * as Calibrate from './Calibrate.ts'
import * as Params from './Params.ts'
import * as Recording from './Recording.ts'

// node --conditions=source packages/testnet/lab/development.ts
// Writes the calibration of development networks from the honest recordings; again whenever those were made anew.

const path = new URL('../calibrations/development.json', import.meta.url)
const calibration = Calibrate.calibrate(
  Params.calibrating.map((name) => Recording.read(name)),
  { created: 1_767_225_600 },
)
writeFileSync(path, `${JSON.stringify(calibration, undefined, 2)}\n`)
