import * as Quartiles from './Quartiles.ts'

/** One line of the table: a measurement, and where there is something to hold it against, their ratio in each round. */
export type Row = {
  readonly section: string
  readonly what: string
  readonly metric: string
  readonly unit: string
  readonly samples: number
  readonly value: Quartiles.Quartiles
  /** What the others of its metric are held against. */
  readonly isBaseline?: true
  readonly ratio?: Quartiles.Quartiles
}

type Labels = Pick<Row, 'section' | 'what' | 'metric' | 'unit'>

/** @example Row.of({ section: 'Receipts', what: 'noble', metric: 'receipts', unit: '1/s' }, [310, 305, 312]) */
export function of(labels: Labels, values: readonly number[]): Row {
  return { ...labels, samples: values.length, value: Quartiles.of(values) }
}

/** One row an arm, each beside the baseline's value in the same round. */
export function compare<A extends string>(
  labels: (arm: A) => Labels,
  samples: Readonly<Record<A, readonly number[]>>,
  baseline: A,
): readonly Row[] {
  return (Object.keys(samples) as A[]).map((arm) => ({
    ...of(labels(arm), samples[arm]),
    ...(arm === baseline
      ? { isBaseline: true as const }
      : { ratio: Quartiles.ratio(samples[arm], samples[baseline]) }),
  }))
}
